import { type DeviceBuffer, ShapeError } from '@xlstm/device';
import {
  type MlstmShape,
  mlstmChunkwise,
  mlstmChunkwiseBackward,
  mlstmSequence,
  mlstmStateLength,
  type Operand,
  sequenceMajor,
} from '@xlstm/mlstm-kernels';
import { type GradientTarget, requireShape, type Scope, type Tensor } from '@xlstm/tensor';

/** Pre-activations and projections of one call, all fp32; each may be columns of a wider tensor. */
export interface MlstmCellInputs {
  /** `[B, S, NH·DHQK]` */
  q: Tensor;
  /** `[B, S, NH·DHQK]` */
  k: Tensor;
  /** `[B, S, NH·DHHV]` */
  v: Tensor;
  /** Input gate, `[B, S, NH]` */
  i: Tensor;
  /** Forget gate, `[B, S, NH]` */
  f: Tensor;
}

/** Options of `mlstmCell`. */
export interface MlstmCellOptions {
  /** NH */
  heads: number;
  gate?: 'exp' | 'sigmoid';
  eps?: number;
  /**
   * The past, `mlstmStateLength` elements, which moves on by S steps; an empty one that is forgotten by default. On a tape
   * no gradient goes into it: a sequence carried over from an earlier step is cut there.
   */
  state?: DeviceBuffer | undefined;
}

/** Steps of a chunk on a tape. */
const CHUNK = 64;

function shapeOf({ q, k, v, i, f }: MlstmCellInputs, NH: number): MlstmShape {
  const [B, S] = q.shape;
  if (q.shape.length !== 3 || !B || !S || q.cols % NH !== 0 || v.cols % NH !== 0) {
    throw new ShapeError(
      `mlstmCell: q must be [B, S, NH·DHQK] and v [B, S, NH·DHHV] with NH ${NH}, got [${q.shape}] and [${v.shape}]`,
    );
  }
  requireShape('mlstmCell', 'k', k, q.shape);
  requireShape('mlstmCell', 'v', v, [B, S, v.cols]);
  requireShape('mlstmCell', 'i', i, [B, S, NH]);
  requireShape('mlstmCell', 'f', f, [B, S, NH]);
  return { B, NH, S, DHQK: q.cols / NH, DHHV: v.cols / NH };
}

function operand({ NH, S }: MlstmShape, tensor: Tensor): Operand {
  return {
    buffer: tensor.buffer,
    layout: sequenceMajor({ NH, S }, tensor.cols / NH, tensor.rowStride, tensor.offset),
  };
}

/** A state to start from: a copy of `state`, or an empty one. */
function startingState(scope: Scope, shape: MlstmShape, state: DeviceBuffer | undefined, label: string): Tensor {
  const start = scope.tensor([mlstmStateLength(shape)], 'fp32', label);
  if (state) scope.device.copy(state, start.buffer);
  else scope.device.clear(start.buffer);
  return start;
}

/**
 * Sets to zero what a gradient is not to be added to: the kernels take one flag for all gradients, and the tape may ask
 * that only some start from nothing.
 */
function addToAll(scope: Scope, targets: readonly (GradientTarget | undefined)[]): void {
  const fresh = targets.flatMap((target) => (target && !target.accumulate ? [target.tensor.buffer] : []));
  for (const buffer of new Set(fresh)) scope.device.clear(buffer);
}

/**
 * The mLSTM cell over a sequence, differentiable on a tape: see `mlstmSequence` of `@xlstm/mlstm-kernels` for equations.
 *
 * @returns h `[B, S, NH·DHHV]` fp32
 * @throws ShapeError when shapes disagree. Source: xLSTM (2405.04517), equations 19–27.
 * @example
 * ```ts
 * const h = mlstmCell(tape, { q, k, v, i, f }, { heads: 4 })
 * ```
 */
export function mlstmCell(scope: Scope, inputs: MlstmCellInputs, options: MlstmCellOptions): Tensor {
  const { heads, gate = 'exp', eps = 1e-6, state } = options;
  const { q, k, v, i, f } = inputs;
  const shape = shapeOf(inputs, heads);
  const { B, NH, S } = shape;
  const h = scope.tensor([B, S, v.cols], 'fp32', 'mlstm h');
  const last = state ?? startingState(scope, shape, undefined, 'mlstm state');
  const lastBuffer = 'shape' in last ? last.buffer : last;
  const operands = {
    q: operand(shape, q),
    k: operand(shape, k),
    v: operand(shape, v),
    i: operand(shape, i),
    f: operand(shape, f),
    h: operand(shape, h),
    state: lastBuffer,
  };
  if (!scope.differentiates) {
    mlstmSequence(scope.arena, shape, operands, { gate, eps });
    if ('shape' in last) scope.release(last);
    return h;
  }
  const initial = startingState(scope, shape, state, 'mlstm initial state');
  const readout = scope.tensor([2, B, NH, S], 'fp32', 'mlstm readout');
  mlstmChunkwise(scope.arena, shape, { ...operands, readout: readout.buffer }, { gate, eps, chunkSize: CHUNK });
  scope.record({
    name: 'mlstmCell',
    inputs: [q, k, v, i, f],
    outputs: [h],
    saved: [q, k, v, i, f, h, initial, readout],
    backward: (gradients) => {
      const dh = gradients.of(h)!;
      const targets = gradients.targets(q, k, v, i, f);
      addToAll(gradients.scope, targets);
      const inputsInOrder = [q, k, v, i, f];
      // The kernels make all five; what nobody wants goes to a temporary.
      const [dq, dk, dv, di, df] = targets.map((target, at) =>
        operand(shape, target?.tensor ?? gradients.scope.tensor(inputsInOrder[at]!.shape, 'fp32', 'unwanted gradient')),
      ) as [Operand, Operand, Operand, Operand, Operand];
      mlstmChunkwiseBackward(
        gradients.scope.arena,
        shape,
        {
          q: operands.q,
          k: operands.k,
          v: operands.v,
          i: operands.i,
          f: operands.f,
          h: operands.h,
          dh: operand(shape, dh),
          initial: initial.buffer,
          readout: readout.buffer,
        },
        { dq, dk, dv, di, df },
        { gate, eps, chunkSize: CHUNK, accumulate: true },
      );
    },
  });
  scope.release(initial, readout);
  if ('shape' in last) scope.release(last);
  return h;
}
