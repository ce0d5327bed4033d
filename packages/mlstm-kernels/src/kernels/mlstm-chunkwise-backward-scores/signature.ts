/**
 * `q, k [B, NH, S, DHQK]`, `v, dh [B, NH, S, DHHV]` by their layouts, `rows` as `mlstm_backward_rows` made them.
 * `scores` gets two planes [B, NH, NC, L, L] for step j, then step t <= j of a chunk: S_jt and G_jt. The rest is undefined.
 */
export const bindings = {
  q: { access: 'read', dtypes: ['fp32'] },
  k: { access: 'read', dtypes: ['fp32'] },
  v: { access: 'read', dtypes: ['fp32'] },
  dh: { access: 'read', dtypes: ['fp32'] },
  rows: { access: 'read', dtypes: ['fp32'] },
  scores: { access: 'write', dtypes: ['fp32'] },
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
  dh_offset: 'u32',
  dh_batch: 'u32',
  dh_head: 'u32',
  dh_step: 'u32',
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  L: 'u32',
} as const;
