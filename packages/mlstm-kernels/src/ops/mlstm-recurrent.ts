import { type Device, OptionError, ShapeError } from '@xlstm/device';
import { cellParams, type MlstmInputs, type MlstmOptions, requireInputs } from '../inputs.ts';
import { mlstmStepKernel } from '../kernels/mlstm-step/index.ts';
import { mlstmStepNormalizerKernel } from '../kernels/mlstm-step-normalizer/index.ts';
import { layoutParams } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';

function recur(operation: string, device: Device, shape: MlstmShape, inputs: MlstmInputs, options: MlstmOptions): void {
  requireInputs(operation, shape, inputs);
  if (inputs.readout) {
    throw new OptionError(
      `${operation}: readout is kept for the backward pass, which this form has none of; leave it out or call mlstmChunkwise`,
    );
  }
  const { sigmoid, normalize, eps } = cellParams(operation, options);
  const { q, k, v, i, f, state, h, arrivals } = inputs;
  const { B, NH, S, DHQK, DHHV } = shape;
  const keysAndGates = { ...layoutParams('k', k), ...layoutParams('i', i), ...layoutParams('f', f) };
  const sizes = { B, NH, S, DHQK, DHHV, sigmoid };
  if (arrivals && (arrivals.dtype !== 'u32' || arrivals.length < B * NH)) {
    throw new ShapeError(
      `${operation}: arrivals must be [${B * NH}] u32, got ${arrivals.dtype} with ${arrivals.length} elements ("${arrivals.label}"); allocate it zeroed`,
    );
  }
  device.launch(mlstmStepKernel, {
    buffers: { q: q.buffer, k: k.buffer, v: v.buffer, i: i.buffer, f: f.buffer, state, h: h.buffer, arrivals },
    params: {
      ...keysAndGates,
      ...layoutParams('q', q),
      ...layoutParams('v', v),
      ...layoutParams('h', h),
      ...sizes,
      normalize,
      eps,
    },
  });
  if (arrivals) return;
  device.launch(mlstmStepNormalizerKernel, {
    buffers: { k: k.buffer, i: i.buffer, f: f.buffer, state },
    params: { ...keysAndGates, ...sizes },
  });
}

/**
 * One decode step of the mLSTM cell: the state is advanced in place and `h` read out of it.
 *
 *     m' = max(logsigmoid(f) + m, i);  C' = exp(logsigmoid(f) + m − m')·C + exp(i − m')·k vᵀ;  n' alike with k
 *     h = C'ᵀq̃ / (max(|n'ᵀq̃|, exp(−m')) + eps),  q̃ = q / √DHQK
 *
 * Two launches: the second advances n and m, which all workgroups of the first read. With `inputs.arrivals` one is enough.
 *
 * @param shape `S` must be 1
 * @param inputs `q, k [B, NH, 1, DHQK]`, `v, h [B, NH, 1, DHHV]`, pre-activations `i, f [B, NH, 1]`, all fp32
 * @throws ShapeError, DtypeError, OptionError before anything is queued. Source: xLSTM (2405.04517), section 2.3.
 * @example
 * ```ts
 * mlstmStep(device, { B: 1, NH: 8, S: 1, DHQK: 256, DHHV: 512 }, { q, k, v, i, f, state, h })
 * ```
 */
export function mlstmStep(device: Device, shape: MlstmShape, inputs: MlstmInputs, options: MlstmOptions = {}): void {
  if (shape.S !== 1) {
    throw new ShapeError(`mlstmStep: S must be 1, got S=${shape.S}; call mlstmSequence or mlstmRecurrent`);
  }
  recur('mlstmStep', device, shape, inputs, options);
}

/**
 * The mLSTM cell step by step over any length, as in `mlstmStep`; the same two launches, each looping over S.
 * Simple and exact; `mlstmChunkwise` is the fast form for long sequences.
 *
 * @param inputs `q, k [B, NH, S, DHQK]`, `v, h [B, NH, S, DHHV]`, pre-activations `i, f [B, NH, S]`, all fp32
 * @throws ShapeError, DtypeError, OptionError before anything is queued. Source: xLSTM (2405.04517), section 2.3.
 * @example
 * ```ts
 * mlstmRecurrent(device, { B: 1, NH: 4, S: 100, DHQK: 16, DHHV: 32 }, { q, k, v, i, f, state, h })
 * ```
 */
export function mlstmRecurrent(
  device: Device,
  shape: MlstmShape,
  inputs: MlstmInputs,
  options: MlstmOptions = {},
): void {
  recur('mlstmRecurrent', device, shape, inputs, options);
}
