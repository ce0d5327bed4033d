import type { Arena, DeviceBuffer } from '@xlstm/device';
import {
  type MlstmBackwardInputs,
  type MlstmGradients,
  requireAccumulate,
  requireBackward,
} from '../backward-inputs.ts';
import { type CellParams, cellParams } from '../inputs.ts';
import { fromStep, headMajor } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';
import { queueBackward } from './backward-segment.ts';
import { chunkSizeOf, type MlstmChunkwiseOptions, segmentBytes, segmentSteps } from './chunks.ts';
import { queueStates } from './last-state.ts';

/** Options of the chunkwise backward. */
export interface MlstmChunkwiseBackwardOptions extends MlstmChunkwiseOptions {
  /** Whether gradients are added to what is in their buffers; default false, which replaces it. */
  accumulate?: boolean;
}

/** What a call is made of, for segments to be cut from. */
interface Call {
  shape: MlstmShape;
  inputs: MlstmBackwardInputs;
  gradients: MlstmGradients;
  cell: CellParams;
  accumulate: boolean;
  L: number;
}

/** Steps `start` to `end` of a call's operands. */
function cut({ shape, inputs, gradients }: Call, start: number, end: number) {
  const { q, k, v, i, f, h, dh, readout } = inputs;
  const { dq, dk, dv, di, df } = gradients;
  return {
    shape: { ...shape, S: end - start },
    q: fromStep(q, start),
    k: fromStep(k, start),
    v: fromStep(v, start),
    i: fromStep(i, start),
    f: fromStep(f, start),
    h: fromStep(h, start),
    dh: fromStep(dh, start),
    readout: fromStep({ buffer: readout, layout: headMajor(shape, 1) }, start),
    plane: shape.B * shape.NH * shape.S,
    gradients: {
      dq: fromStep(dq, start),
      dk: fromStep(dk, start),
      dv: fromStep(dv, start),
      di: fromStep(di, start),
      df: fromStep(df, start),
    },
  };
}

/** Queues a segment that is entered with `state`, its entering states computed anew. */
function queueSegment(
  arena: Arena,
  call: Call,
  carry: DeviceBuffer,
  state: DeviceBuffer,
  range: [number, number],
): void {
  const { L, cell } = call;
  const parts = cut(call, ...range);
  const entering = arena.alloc('fp32', state.length * Math.ceil(parts.shape.S / L), 'mlstm entering states');
  let last: DeviceBuffer | undefined;
  try {
    last = queueStates(arena, parts.shape, { ...parts, state }, cell, { L, entering });
    const whole = range[1] === call.shape.S && call.inputs.dlast !== undefined;
    const dinitial = range[0] === 0 ? call.gradients.dinitial : undefined;
    queueBackward(
      arena,
      { ...parts, entering, last, L, carry, whole, dinitial, accumulate: call.accumulate ? 1 : 0 },
      cell,
    );
  } finally {
    if (last) arena.release(last);
    arena.release(entering);
  }
}

/**
 * The chunkwise backward on checked inputs, in segments of so many chunks that what is kept of each takes at most
 * `mostBytes` (of one chunk at least). A first pass keeps the state that each segment is entered with; then segments
 * are taken from the last to the first, each handing the gradient of its entering state to the one before it.
 */
export function backwardInSegments(arena: Arena, call: Call, mostBytes: number): void {
  const { shape, inputs, cell, L } = call;
  const { initial, dlast } = inputs;
  const most = segmentSteps(L, Math.max(initial.byteLength, 8 * shape.B * shape.NH * L * L), mostBytes);
  const carry = arena.alloc('fp32', initial.length, 'mlstm gradient of a state');
  const states = [initial];
  try {
    for (let start = 0; start + most < shape.S; start += most) {
      const parts = cut(call, start, start + most);
      states.push(
        queueStates(arena, parts.shape, { ...parts, state: states.at(-1)! }, cell, { L, entering: undefined }),
      );
    }
    if (dlast) arena.device.copy(dlast, carry);
    else arena.device.clear(carry);
    for (const [segment, state] of [...states.entries()].reverse()) {
      queueSegment(arena, call, carry, state, [segment * most, Math.min((segment + 1) * most, shape.S)]);
    }
  } finally {
    // The first is the caller's.
    for (const state of states.slice(1)) arena.release(state);
    arena.release(carry);
  }
}

/**
 * The exact gradient of `mlstmChunkwise`, through the normaliser, the stabiliser and into the initial state. It may
 * follow any form of the forward pass that kept `h` and `readout`.
 *
 *     δ_j = dh_j / N_j;  dden_j = −w_j·dh_jᵀh_j / N_j;  G_jt = (δ_jᵀv_t + dden_j)·exp(D_jt − m_j)
 *     dq̃_j = Σ_t G_jt k_t + exp(b_j + m − m_j)·(C δ_j + dden_j n);  dk_t = Σ_j G_jt q̃_j + exp(a_t − m')·(dC' v_t + dn')
 *     dv_t = Σ_j S_jt δ_j + exp(a_t − m')·dC'ᵀk_t;  di_t = k_tᵀdk_t;  dlogf_t = Σ_{s≥t} (q_sᵀdq_s − k_sᵀdk_s) + ⟨C', dC'⟩ + ⟨n', dn'⟩
 *
 * @param arena where states, their gradients and scores are kept for the call: up to 128 MiB of each; beyond that the
 * sequence is taken in segments, with one more state for each
 * @param inputs what the forward pass read and left, and the gradients `dh` and `dlast`, all fp32
 * @param gradients `dq, dk [B, NH, S, DHQK]`, `dv [B, NH, S, DHHV]`, `di, df [B, NH, S]`, and `dinitial`, all fp32
 * @throws ShapeError, DtypeError, OptionError before anything is queued. Source: xLSTM (2405.04517), appendix A.3, and
 * Tiled Flash Linear Attention (2503.14376), section 3; the normaliser's part is derived in the kernels' READMEs.
 * @example
 * ```ts
 * mlstmChunkwise(arena, shape, { q, k, v, i, f, state, h, readout }, { chunkSize: 64 })
 * mlstmChunkwiseBackward(arena, shape, { q, k, v, i, f, initial, h, readout, dh }, { dq, dk, dv, di, df })
 * ```
 */
export function mlstmChunkwiseBackward(
  arena: Arena,
  shape: MlstmShape,
  inputs: MlstmBackwardInputs,
  gradients: MlstmGradients,
  options: MlstmChunkwiseBackwardOptions = {},
): void {
  const operation = 'mlstmChunkwiseBackward';
  requireBackward(operation, shape, inputs, gradients);
  const cell = cellParams(operation, options, ['chunkSize', 'accumulate']);
  const L = chunkSizeOf(operation, options);
  const { accumulate = false } = options;
  requireAccumulate(operation, accumulate);
  backwardInSegments(arena, { shape, inputs, gradients, cell, accumulate, L }, segmentBytes(arena.device));
}
