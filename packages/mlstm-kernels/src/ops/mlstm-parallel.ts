import type { Arena } from '@xlstm/device';
import { cellParams, type MlstmInputs, type MlstmOptions, requireInputs } from '../inputs.ts';
import { mlstmParallelKernel } from '../kernels/mlstm-parallel/index.ts';
import { headMajor, layoutParams } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';
import { queueStates } from './last-state.ts';

/** Steps that the pass for the last state takes at a time. */
const CHUNK = 64;

/**
 * The mLSTM cell over a whole sequence in its quadratic form: every step attends to all steps before it and to the
 * initial state. The form to compare others with; `mlstmChunkwise` is the fast one.
 *
 *     D_jt = Σ_{s=t+1..j} logsigmoid(f_s) + i_t;  m_j = max(b_j + m, max_t D_jt);  S_jt = (q̃_jᵀk_t)·exp(D_jt − m_j)
 *     h_j = (Σ_t S_jt v_t + exp(b_j + m − m_j)·Cᵀq̃_j) / (max(|Σ_t S_jt + exp(b_j + m − m_j)·nᵀq̃_j|, exp(−m_j)) + eps)
 *
 * @param arena where the last state is put together
 * @param inputs `q, k [B, NH, S, DHQK]`, `v, h [B, NH, S, DHHV]`, pre-activations `i, f [B, NH, S]`, all fp32
 * @throws ShapeError, DtypeError, OptionError before anything is queued. Source: xLSTM (2405.04517), appendix A.3.
 * @example
 * ```ts
 * mlstmParallel(arena, { B: 1, NH: 4, S: 100, DHQK: 16, DHHV: 32 }, inputs)
 * ```
 */
export function mlstmParallel(arena: Arena, shape: MlstmShape, inputs: MlstmInputs, options: MlstmOptions = {}): void {
  requireInputs('mlstmParallel', shape, inputs);
  const cell = cellParams('mlstmParallel', options);
  const { q, k, v, i, f, state, h, readout } = inputs;
  const { B, NH, S, DHQK, DHHV } = shape;
  const last = queueStates(arena, shape, inputs, cell, { L: CHUNK, entering: undefined });
  try {
    arena.device.launch(mlstmParallelKernel, {
      buffers: { q: q.buffer, k: k.buffer, v: v.buffer, i: i.buffer, f: f.buffer, state, h: h.buffer, readout },
      params: {
        ...layoutParams('q', q),
        ...layoutParams('k', k),
        ...layoutParams('v', v),
        ...layoutParams('i', i),
        ...layoutParams('f', f),
        ...layoutParams('h', h),
        ...layoutParams('readout', { layout: headMajor(shape, 1) }),
        readout_plane: B * NH * S,
        B,
        NH,
        S,
        DHQK,
        DHHV,
        ...cell,
      },
    });
    arena.device.copy(last, state);
  } finally {
    arena.release(last);
  }
}
