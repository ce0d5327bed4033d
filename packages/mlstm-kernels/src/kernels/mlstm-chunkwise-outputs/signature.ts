/**
 * `q, k [B, NH, S, DHQK]`, `v, h [B, NH, S, DHHV]`, pre-activations `i, f [B, NH, S]` by their layouts; `entering` is
 * what `mlstm_chunkwise_states` made: C [B, NH, NC, DHQK, DHHV] | n [B, NH, NC, DHQK] | m [B, NH, NC], NC = ceil(S / L).
 * `readout`, when present, gets what the backward pass needs of every step: the stabiliser m and the signed denominator
 * [B, NH, S] by its layout, the latter `readout_plane` elements further on.
 */
export const bindings = {
  q: { access: 'read', dtypes: ['fp32'] },
  k: { access: 'read', dtypes: ['fp32'] },
  v: { access: 'read', dtypes: ['fp32'] },
  i: { access: 'read', dtypes: ['fp32'] },
  f: { access: 'read', dtypes: ['fp32'] },
  entering: { access: 'read', dtypes: ['fp32'] },
  h: { access: 'write', dtypes: ['fp32'] },
  readout: { access: 'write', dtypes: ['fp32'], optional: true },
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
  readout_offset: 'u32',
  readout_batch: 'u32',
  readout_head: 'u32',
  readout_step: 'u32',
  readout_plane: 'u32',
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  L: 'u32',
  sigmoid: 'u32',
  normalize: 'u32',
  eps: 'f32',
} as const;
