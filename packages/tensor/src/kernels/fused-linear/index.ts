import { defineKernel, isQuantizedDtype, type Kernel, OptionError, quantizedBits, ShapeError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import type { WeightMatrix } from '../../weight-matrix.ts';
import { fusedLinearReference } from './reference.ts';
import { bindings, EPILOGUES, MAX_HEADS, MAX_ROWS, PROLOGUES, params } from './signature.ts';
import { fusedLinearWebGpu } from './webgpu.ts';

export { MAX_ROWS as FUSED_LINEAR_MAX_ROWS } from './signature.ts';

/** `y = epilogue(weight · prologue(x))` for 1…8 rows of x; `fusedLinear` launches it. */
export const fusedLinearKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'fused_linear',
  bindings,
  params,
  webgpu: fusedLinearWebGpu,
  reference: fusedLinearReference,
});

/** What is multiplied, and where the result goes. */
export interface FusedLinearTensors {
  /** `[M, K]` fp32, contiguous; M is 1…8. */
  x: Tensor;
  /** `[N, K]`, in any weight dtype and in any number of parts. */
  weight: WeightMatrix;
  /** `[M, columns]` fp32, contiguous, a buffer of its own. */
  y: Tensor;
}

/** What happens around the product. */
export interface FusedLinearOptions {
  /**
   * What is done to x first: RMSNorm over K with `weight [K]`, or a LayerNorm of each head, times sigmoid(gate) with
   * `gate [M, K]`, which may be columns of a wider tensor.
   */
  norm?:
    | { kind: 'rms'; weight: Tensor; eps: number }
    | { kind: 'heads'; weight: Tensor; eps: number; heads: number; gate: Tensor }
    | undefined;
  /**
   * `store` (the default) puts the N products from column `column` of y on; `add` adds them there; `swiglu` takes the first half of
   * the weight's rows for gates, the second for what they gate, and stores silu(gate) · up.
   */
  epilogue?: keyof typeof EPILOGUES | undefined;
  /** First column of y that is written. Default 0. */
  column?: number | undefined;
  /** `[N]` fp32. */
  bias?: Tensor | undefined;
  /** Soft cap: cap · tanh(value / cap). */
  cap?: number | undefined;
  /**
   * More rows `[E, K]` fp32 with a bias `[E]`, whose products go to columns of their own, whatever happens to the others; not
   * with a `bias`, whose place that is.
   */
  extra?: { weight: Tensor; bias: Tensor; column: number; cap?: number | undefined } | undefined;
}

const NAME = 'fusedLinear';

function requireColumns(what: string, column: number, count: number, y: Tensor): void {
  if (!Number.isInteger(column) || column < 0 || column + count > y.cols) {
    throw new ShapeError(
      `${NAME}: ${what} are columns ${column}…${column + count} of y, which has ${y.cols}; make y wider`,
    );
  }
}

/** The norm's parameters, checked. */
function normParams({ x }: FusedLinearTensors, { norm }: FusedLinearOptions) {
  const none = { prologue: PROLOGUES.none, heads: 1, gateOffset: 0, gateStride: 0, eps: 0 };
  if (!norm) return none;
  requireContiguous(NAME, 'norm.weight', norm.weight, [x.cols]);
  const common = { ...none, eps: norm.eps };
  if (norm.kind === 'rms') return { ...common, prologue: PROLOGUES.rmsNorm };
  const { heads, gate } = norm;
  if (!Number.isInteger(heads) || heads < 1 || x.cols % heads !== 0 || x.rows * heads > MAX_HEADS) {
    throw new ShapeError(
      `${NAME}: heads must divide K ${x.cols} and be at most ${MAX_HEADS} over all rows of x, got ${heads} for ${x.rows} rows; normalise in a launch before`,
    );
  }
  if (gate.rows !== x.rows || gate.cols !== x.cols || gate.dtype !== 'fp32') {
    throw new ShapeError(`${NAME}: the gate must be [${x.rows}, ${x.cols}] fp32, got [${gate.shape}] ${gate.dtype}`);
  }
  return { ...common, prologue: PROLOGUES.headNorm, heads, gateOffset: gate.offset, gateStride: gate.rowStride };
}

/**
 * A linear layer with what comes before and after it in the same launch: `y = epilogue(weight · prologue(x))`. Every workgroup
 * makes x ready for itself, since reading weights is what a decode step waits for. One launch for each part of the weight.
 *
 * @throws ShapeError when sizes do not go together, OptionError for more than 8 rows of x or a gate and up in parts that
 * were not split together. Nothing is launched then.
 * @example
 * ```ts
 * fusedLinear(scope, { x, weight: gateUp, y }, { norm: { kind: 'rms', weight, eps: 1e-6 }, epilogue: 'swiglu' })
 * ```
 */
export function fusedLinear(scope: Scope, tensors: FusedLinearTensors, options: FusedLinearOptions = {}): void {
  const { x, weight, y } = tensors;
  const { norm, epilogue = 'store', column = 0, bias, cap = 0, extra } = options;
  const [N, K] = weight.shape;
  const swiglu = epilogue === 'swiglu';
  requireContiguous(NAME, 'x', x, [x.rows, K]);
  requireContiguous(NAME, 'y', y);
  if (x.rows < 1 || x.rows > MAX_ROWS || y.rows !== x.rows) {
    throw new OptionError(
      `${NAME}: x and y must have the same 1…${MAX_ROWS} rows, got ${x.rows} and ${y.rows}; use linear`,
    );
  }
  if (swiglu && (N % 2 !== 0 || (weight.parts.length > 1 && weight.sections !== 2))) {
    throw new OptionError(
      `${NAME}: swiglu needs gate and up rows split together, got [${N}, ${K}] in ${weight.parts.length} parts of ${weight.sections} sections; use linear and swiglu`,
    );
  }
  if (!swiglu && weight.parts.length > 1 && weight.sections !== 1) {
    throw new OptionError(
      `${NAME}: ${weight.sections} sections in ${weight.parts.length} parts have no order of columns; use linear`,
    );
  }
  requireColumns('the products', column, swiglu ? N / 2 : N, y);
  if (bias) requireContiguous(NAME, 'bias', bias, [N]);
  const E = extra?.weight.rows ?? 0;
  if (extra) {
    requireContiguous(NAME, 'extra.weight', extra.weight, [E, K]);
    requireColumns('the extra products', extra.column, E, y);
    requireContiguous(NAME, 'extra.bias', extra.bias, [E]);
    if (bias)
      throw new OptionError(`${NAME}: extra rows and a bias do not go together; launch the extra rows by themselves`);
  }
  const shared = { M: x.rows, K, ...normParams(tensors, options), epilogue: EPILOGUES[epilogue], yStride: y.cols, cap };
  weight.parts.forEach((part, index) => {
    const sections = swiglu ? 2 : 1;
    const count = part.rows / sections;
    const before = part.firstRow / sections;
    const hasExtra = extra && index === 0;
    scope.device.launch(fusedLinearKernel, {
      buffers: {
        x: x.buffer,
        gate: norm?.kind === 'heads' ? norm.gate.buffer : undefined,
        norm: norm?.weight.buffer,
        biases: bias?.buffer ?? (hasExtra ? extra.bias.buffer : undefined),
        weight: part.data,
        scales: part.scales,
        extra: hasExtra ? extra.weight.buffer : undefined,
        y: y.buffer,
      },
      params: {
        ...shared,
        N: count,
        bits: isQuantizedDtype(weight.dtype) ? quantizedBits(weight.dtype) : 0,
        group: weight.group,
        up: swiglu ? count : 0,
        yOffset: column + before,
        biased: bias ? 1 : 0,
        biasOffset: before,
        upBiasOffset: swiglu ? N / 2 + before : 0,
        E: hasExtra ? E : 0,
        extraOffset: extra?.column ?? 0,
        extraBiasOffset: 0,
        extraCap: extra?.cap ?? 0,
      },
    });
  });
}
