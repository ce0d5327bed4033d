/**
 * `q, k [B, NH, S, DHQK]`, `v [B, NH, S, DHHV]` and `gradient [B, NH, S, DHQK]` by their layouts; `rows`, `leaving` and
 * `scores` as `mlstm_backward_rows`, `mlstm_chunkwise_backward_states` and `mlstm_chunkwise_backward_scores` made them.
 * With `accumulate` 1, dk is added to `gradient`. `departing` gets the leaving state's part of kᵀdk of each step, by 64
 * columns: [column tiles, B, NH, S].
 */
export const bindings = {
  q: { access: 'read', dtypes: ['fp32'] },
  k: { access: 'read', dtypes: ['fp32'] },
  v: { access: 'read', dtypes: ['fp32'] },
  rows: { access: 'read', dtypes: ['fp32'] },
  leaving: { access: 'read', dtypes: ['fp32'] },
  scores: { access: 'read', dtypes: ['fp32'] },
  gradient: { access: 'read-write', dtypes: ['fp32'] },
  departing: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  q_offset: 'u32',
  q_batch: 'u32',
  q_head: 'u32',
  q_step: 'u32',
  k_offset: 'u32',
  k_batch: 'u32',
  k_head: 'u32',
  k_step: 'u32',
  v_offset: 'u32',
  v_batch: 'u32',
  v_head: 'u32',
  v_step: 'u32',
  gradient_offset: 'u32',
  gradient_batch: 'u32',
  gradient_head: 'u32',
  gradient_step: 'u32',
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  L: 'u32',
  accumulate: 'u32',
} as const;
