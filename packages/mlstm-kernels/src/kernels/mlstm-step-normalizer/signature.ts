/** `k [B, NH, S, DHQK]`, `i, f [B, NH, S]` by their layouts; of `state` C | n | m, n and m are advanced. */
export const bindings = {
  k: { access: 'read', dtypes: ['fp32'] },
  i: { access: 'read', dtypes: ['fp32'] },
  f: { access: 'read', dtypes: ['fp32'] },
  state: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  k_offset: 'u32',
  k_batch: 'u32',
  k_head: 'u32',
  k_step: 'u32',
  i_offset: 'u32',
  i_batch: 'u32',
  i_head: 'u32',
  i_step: 'u32',
  f_offset: 'u32',
  f_batch: 'u32',
  f_head: 'u32',
  f_step: 'u32',
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  sigmoid: 'u32',
} as const;
