/**
 * Pre-activations `f, i [B, NH, S]`, `h, dh [B, NH, S, DHHV]` by their layouts; `readout`, as the forward pass left it: m
 * and, `readout_plane` further on, the signed denominator, each [B, NH, S]. `entering` are the states that the
 * NC = ceil(S / L) chunks are entered with, `last` the one after them: C | n | m, of which m is read.
 * `rows` gets the planes of backward-rows.ts: nine [B, NH, S], then [B, NH, NC].
 */
export const bindings = {
  f: { access: 'read', dtypes: ['fp32'] },
  i: { access: 'read', dtypes: ['fp32'] },
  h: { access: 'read', dtypes: ['fp32'] },
  dh: { access: 'read', dtypes: ['fp32'] },
  readout: { access: 'read', dtypes: ['fp32'] },
  entering: { access: 'read', dtypes: ['fp32'] },
  last: { access: 'read', dtypes: ['fp32'] },
  rows: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  f_offset: 'u32',
  f_batch: 'u32',
  f_head: 'u32',
  f_step: 'u32',
  i_offset: 'u32',
  i_batch: 'u32',
  i_head: 'u32',
  i_step: 'u32',
  h_offset: 'u32',
  h_batch: 'u32',
  h_head: 'u32',
  h_step: 'u32',
  dh_offset: 'u32',
  dh_batch: 'u32',
  dh_head: 'u32',
  dh_step: 'u32',
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
