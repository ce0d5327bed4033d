/**
 * `dx [B, S, 4, NH, DH]`, the gradients of the pre-activations, and `y [B, NH, S, DH]` by their layouts; `saved` starts
 * with the initial y [B, NH * DH]. `partials` is [splits, 4 * NH * DH * (DH + 1)]: for each range of `rows` of the B * S rows,
 * `[NH, 4, DH, DH]` of the recurrent weights and `[4, NH, DH]` of the bias. `recurrent` 0 leaves out the former.
 */
export const bindings = {
  dx: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'read', dtypes: ['fp32'] },
  saved: { access: 'read', dtypes: ['fp32'] },
  partials: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  dx_offset: 'u32',
  dx_batch: 'u32',
  dx_head: 'u32',
  dx_step: 'u32',
  y_offset: 'u32',
  y_batch: 'u32',
  y_head: 'u32',
  y_step: 'u32',
  dx_gate: 'u32',
  B: 'u32',
  S: 'u32',
  NH: 'u32',
  DH: 'u32',
  rows: 'u32',
  recurrent: 'u32',
} as const;
