import type { Arena, DeviceBuffer } from '@xlstm/device';
import { type CellParams, cellParams, type MlstmInputs, requireInputs } from '../inputs.ts';
import { mlstmChunkwiseOutputsKernel } from '../kernels/mlstm-chunkwise-outputs/index.ts';
import { fromStep, headMajor, layoutParams, type Operand } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';
import { chunkSizeOf, type MlstmChunkwiseOptions, segmentBytes, segmentSteps } from './chunks.ts';
import { queueStates } from './last-state.ts';

/** Inputs from some step on; the readout as an operand, and how far its second plane is from the first. */
interface Segment extends Omit<MlstmInputs, 'readout'> {
  readout: Operand | undefined;
  plane: number;
}

function launchSegment(arena: Arena, shape: MlstmShape, inputs: Segment, cell: CellParams, L: number): void {
  const { q, k, v, i, f, state, h, readout, plane } = inputs;
  const { B, NH, S, DHQK, DHHV } = shape;
  const entering = arena.alloc('fp32', state.length * Math.ceil(S / L), 'mlstm entering states');
  let last: DeviceBuffer | undefined;
  try {
    last = queueStates(arena, shape, inputs, cell, { L, entering });
    arena.device.launch(mlstmChunkwiseOutputsKernel, {
      buffers: {
        q: q.buffer,
        k: k.buffer,
        v: v.buffer,
        i: i.buffer,
        f: f.buffer,
        entering,
        h: h.buffer,
        readout: readout?.buffer,
      },
      params: {
        ...layoutParams('q', q),
        ...layoutParams('k', k),
        ...layoutParams('v', v),
        ...layoutParams('i', i),
        ...layoutParams('f', f),
        ...layoutParams('h', h),
        ...layoutParams('readout', readout ?? h),
        readout_plane: plane,
        B,
        NH,
        S,
        DHQK,
        DHHV,
        L,
        ...cell,
      },
    });
    arena.device.copy(last, state);
  } finally {
    if (last) arena.release(last);
    arena.release(entering);
  }
}

/**
 * The chunkwise form on checked inputs, in segments of so many chunks that their entering states take at most
 * `mostBytes` (of one chunk at least); each goes on from the state that the one before left.
 */
export function chunkwiseInSegments(
  arena: Arena,
  shape: MlstmShape,
  inputs: MlstmInputs,
  cell: CellParams,
  L: number,
  mostBytes: number,
): void {
  const { q, k, v, i, f, state, h, readout } = inputs;
  const most = segmentSteps(L, state.byteLength, mostBytes);
  const rows = readout && { buffer: readout, layout: headMajor(shape, 1) };
  for (let start = 0; start < shape.S; start += most) {
    const segment = {
      q: fromStep(q, start),
      k: fromStep(k, start),
      v: fromStep(v, start),
      i: fromStep(i, start),
      f: fromStep(f, start),
      state,
      h: fromStep(h, start),
      readout: rows && fromStep(rows, start),
      plane: shape.B * shape.NH * shape.S,
    };
    launchSegment(arena, { ...shape, S: Math.min(most, shape.S - start) }, segment, cell, L);
  }
}

/**
 * The mLSTM cell over a sequence of any length, chunk by chunk: one pass computes the state that every chunk is entered
 * with, a second one all outputs in parallel. The last chunk is masked.
 *
 *     D_jt = Σ_{s=t+1..j} logsigmoid(f_s) + i_t;  m_j = max(b_j + m, max_t D_jt);  S_jt = (q̃_jᵀk_t)·exp(D_jt − m_j)
 *     h_j = (Σ_t S_jt v_t + exp(b_j + m − m_j)·Cᵀq̃_j) / (max(|Σ_t S_jt + exp(b_j + m − m_j)·nᵀq̃_j|, exp(−m_j)) + eps)
 *
 * @param arena where the states between chunks are kept for the call: up to 128 MiB of them, and one more
 * @param inputs `q, k [B, NH, S, DHQK]`, `v, h [B, NH, S, DHHV]`, pre-activations `i, f [B, NH, S]`, all fp32
 * @throws ShapeError, DtypeError, OptionError before anything is queued. Source: Tiled Flash Linear Attention
 * (2503.14376), section 3.
 * @example
 * ```ts
 * mlstmChunkwise(arena, { B: 1, NH: 8, S: 500, DHQK: 256, DHHV: 512 }, inputs, { chunkSize: 128 })
 * ```
 */
export function mlstmChunkwise(
  arena: Arena,
  shape: MlstmShape,
  inputs: MlstmInputs,
  options: MlstmChunkwiseOptions = {},
): void {
  requireInputs('mlstmChunkwise', shape, inputs);
  const cell = cellParams('mlstmChunkwise', options, ['chunkSize']);
  const L = chunkSizeOf('mlstmChunkwise', options);
  chunkwiseInSegments(arena, shape, inputs, cell, L, segmentBytes(arena.device));
}
