/** `y` and `dy [rows, D]` are contiguous; rows of `dx` are D elements at a stride, and hold dy where `dy` is absent. */
export const bindings = {
  y: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'], optional: true },
  dx: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  D: 'u32',
  cap: 'f32',
  dxOffset: 'u32',
  dxStride: 'u32',
  accumulate: 'u32',
} as const;
