/**
 * `k [B, NH, S, DHQK]`, `dh` and `gradient [B, NH, S, DHHV]` by their layouts; `rows`, `leaving` and `scores` as
 * `mlstm_backward_rows`, `mlstm_chunkwise_backward_states` and `mlstm_chunkwise_backward_scores` made them. With
 * `accumulate` 1, dv is added to `gradient`.
 */
export const bindings = {
  k: { access: 'read', dtypes: ['fp32'] },
  dh: { access: 'read', dtypes: ['fp32'] },
  rows: { access: 'read', dtypes: ['fp32'] },
  leaving: { access: 'read', dtypes: ['fp32'] },
  scores: { access: 'read', dtypes: ['fp32'] },
  gradient: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  k_offset: 'u32',
  k_batch: 'u32',
  k_head: 'u32',
  k_step: 'u32',
  dh_offset: 'u32',
  dh_batch: 'u32',
  dh_head: 'u32',
  dh_step: 'u32',
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
