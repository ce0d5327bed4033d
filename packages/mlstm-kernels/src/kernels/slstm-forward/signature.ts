/**
 * `x [B, S, 4, NH, DH]` (gates i, f, z, o) and `y [B, NH, S, DH]` by their layouts; `recurrent [NH, 4 * DH, DH]` plain, or
 * packed by input `[NH, DH_in, DH_out, 4]`; `bias [4, NH, DH]`; `state` y | c | n | m, each [B, NH * DH]; `saved` is the
 * initial state, then [B, S, 7, NH * DH] with i, f, z, o, c, n, m. `clip` 0 stands for none.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  recurrent: { access: 'read', dtypes: ['fp32'] },
  bias: { access: 'read', dtypes: ['fp32'] },
  state: { access: 'read-write', dtypes: ['fp32'] },
  y: { access: 'write', dtypes: ['fp32'] },
  saved: { access: 'write', dtypes: ['fp32'], optional: true },
} as const;

export const params = {
  x_offset: 'u32',
  x_batch: 'u32',
  x_head: 'u32',
  x_step: 'u32',
  y_offset: 'u32',
  y_batch: 'u32',
  y_head: 'u32',
  y_step: 'u32',
  x_gate: 'u32',
  B: 'u32',
  S: 'u32',
  NH: 'u32',
  DH: 'u32',
  packed: 'u32',
  clip: 'f32',
} as const;
