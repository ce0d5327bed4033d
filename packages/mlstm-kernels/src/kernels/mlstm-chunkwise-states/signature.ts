/**
 * `k [B, NH, S, DHQK]`, `v [B, NH, S, DHHV]`, pre-activations `i, f [B, NH, S]` by their layouts.
 * `initial` and `last` are states C [B, NH, DHQK, DHHV] | n [B, NH, DHQK] | m [B, NH]; `entering`, when present, gets the
 * state that each of the NC = ceil(S / L) chunks is entered with: C [B, NH, NC, DHQK, DHHV] | n [B, NH, NC, DHQK] |
 * m [B, NH, NC].
 */
export const bindings = {
  k: { access: 'read', dtypes: ['fp32'] },
  v: { access: 'read', dtypes: ['fp32'] },
  i: { access: 'read', dtypes: ['fp32'] },
  f: { access: 'read', dtypes: ['fp32'] },
  initial: { access: 'read', dtypes: ['fp32'] },
  entering: { access: 'write', dtypes: ['fp32'], optional: true },
  last: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
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
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  L: 'u32',
  sigmoid: 'u32',
} as const;
