/**
 * `recurrent` packed by output `[NH, DH_out, DH_in, 4]`; `saved` as the forward kept it; `dy [B, NH, S, DH]` and
 * `dx [B, S, 4, NH, DH]` by their layouts; `carried`, planes y | c | n | m [B, NH * DH], holds the gradient of the last state
 * and then that of the initial one. `clip` and `recurrent_clip` 0 stand for none.
 */
export const bindings = {
  recurrent: { access: 'read', dtypes: ['fp32'] },
  saved: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'], optional: true },
  carried: { access: 'read-write', dtypes: ['fp32'] },
  dx: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  dy_offset: 'u32',
  dy_batch: 'u32',
  dy_head: 'u32',
  dy_step: 'u32',
  dx_offset: 'u32',
  dx_batch: 'u32',
  dx_head: 'u32',
  dx_step: 'u32',
  dx_gate: 'u32',
  B: 'u32',
  S: 'u32',
  NH: 'u32',
  DH: 'u32',
  clip: 'f32',
  cut: 'u32',
  recurrent_clip: 'f32',
} as const;
