/**
 * `q, k [B, NH, S, DHQK]`, `v, h [B, NH, S, DHHV]`, pre-activations `i, f [B, NH, S]`, each by its layout;
 * `state` is C [B, NH, DHQK, DHHV] | n [B, NH, DHQK] | m [B, NH]. With `arrivals [B, NH]`, zero before and after, all of it is
 * advanced; without, only C.
 */
export const bindings = {
  q: { access: 'read', dtypes: ['fp32'] },
  k: { access: 'read', dtypes: ['fp32'] },
  v: { access: 'read', dtypes: ['fp32'] },
  i: { access: 'read', dtypes: ['fp32'] },
  f: { access: 'read', dtypes: ['fp32'] },
  state: { access: 'read-write', dtypes: ['fp32'] },
  h: { access: 'write', dtypes: ['fp32'] },
  arrivals: { access: 'read-write', dtypes: ['u32'], optional: true },
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
  i_offset: 'u32',
  i_batch: 'u32',
  i_head: 'u32',
  i_step: 'u32',
  f_offset: 'u32',
  f_batch: 'u32',
  f_head: 'u32',
  f_step: 'u32',
  h_offset: 'u32',
  h_batch: 'u32',
  h_head: 'u32',
  h_step: 'u32',
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  sigmoid: 'u32',
  normalize: 'u32',
  eps: 'f32',
} as const;
