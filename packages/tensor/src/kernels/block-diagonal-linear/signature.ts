/**
 * Rows of `x` are NB blocks of I columns, rows of `y` NB blocks of O, each at a stride from an offset; `bias [NB*O]`.
 * `weight` is [NB, O, I], or [NB, I, O] when `transposed`.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  weight: { access: 'read', dtypes: ['fp32'] },
  bias: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  NB: 'u32',
  I: 'u32',
  O: 'u32',
  xOffset: 'u32',
  xStride: 'u32',
  yOffset: 'u32',
  yStride: 'u32',
  transposed: 'u32',
  accumulate: 'u32',
} as const;
