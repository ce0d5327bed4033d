import { type Arena, type DeviceBuffer, OptionError } from '@xlstm/device';
import { type CellParams, cellParams, type MlstmInputs, type MlstmOptions, requireInputs } from '../inputs.ts';
import { mlstmChunkwiseOutputsKernel } from '../kernels/mlstm-chunkwise-outputs/index.ts';
import { layoutParams, type Operand } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';
import { queueStates } from './last-state.ts';

/** Options of the chunkwise form. */
export interface MlstmChunkwiseOptions extends MlstmOptions {
  /** Steps a chunk: 32, 64, 96, … 256. Default 64. Larger chunks keep fewer states, and compute more within chunks. */
  chunkSize?: number;
}

const DEFAULT_CHUNK = 64;
const CHUNK_UNIT = 32;
const LARGEST_CHUNK = 256;

/** Entering states are kept for as many chunks as fit in this; WebGPU's default limit for one binding. */
const MOST_ENTERING_BYTES = 128 * 2 ** 20;

/** The operand from step `start` on. */
function from({ buffer, layout }: Operand, start: number): Operand {
  return { buffer, layout: { ...layout, offset: layout.offset + start * layout.step } };
}

function launchSegment(arena: Arena, shape: MlstmShape, inputs: MlstmInputs, cell: CellParams, L: number): void {
  const { q, k, v, i, f, state, h } = inputs;
  const { B, NH, S, DHQK, DHHV } = shape;
  const entering = arena.alloc('fp32', state.length * Math.ceil(S / L), 'mlstm entering states');
  let last: DeviceBuffer | undefined;
  try {
    last = queueStates(arena, shape, inputs, cell, { L, entering });
    arena.device.launch(mlstmChunkwiseOutputsKernel, {
      buffers: { q: q.buffer, k: k.buffer, v: v.buffer, i: i.buffer, f: f.buffer, entering, h: h.buffer },
      params: {
        ...layoutParams('q', q),
        ...layoutParams('k', k),
        ...layoutParams('v', v),
        ...layoutParams('i', i),
        ...layoutParams('f', f),
        ...layoutParams('h', h),
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
  const chunks = Math.max(1, Math.floor(mostBytes / inputs.state.byteLength));
  for (let start = 0; start < shape.S; start += chunks * L) {
    const { q, k, v, i, f, state, h } = inputs;
    const segment = {
      q: from(q, start),
      k: from(k, start),
      v: from(v, start),
      i: from(i, start),
      f: from(f, start),
      state,
      h: from(h, start),
    };
    launchSegment(arena, { ...shape, S: Math.min(chunks * L, shape.S - start) }, segment, cell, L);
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
  const { chunkSize: L = DEFAULT_CHUNK } = options;
  if (!(Number.isInteger(L / CHUNK_UNIT) && L > 0 && L <= LARGEST_CHUNK)) {
    throw new OptionError(
      `mlstmChunkwise: chunkSize must be a multiple of ${CHUNK_UNIT} up to ${LARGEST_CHUNK}, got ${L}; the default is ${DEFAULT_CHUNK}`,
    );
  }
  chunkwiseInSegments(arena, shape, inputs, cell, L, Math.min(arena.device.maxBufferBytes, MOST_ENTERING_BYTES));
}
