/** Rows of `x` and `dx` are D elements at a stride from an offset each; `dy [rows, D]` is contiguous. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'] },
  dx: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  D: 'u32',
  xOffset: 'u32',
  xStride: 'u32',
  dxOffset: 'u32',
  dxStride: 'u32',
  accumulate: 'u32',
  activation: 'u32',
} as const;
