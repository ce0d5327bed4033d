/** Row r of `x` is D elements from `xOffset + r * xStride`, that of `y` from `yOffset + r * yStride`; `ids [rows]`. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  ids: { access: 'read', dtypes: ['i32'] },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/** With `accumulate` 1 the result is added to what `y` holds; with 0 it replaces it. */
export const params = {
  rows: 'u32',
  D: 'u32',
  xOffset: 'u32',
  xStride: 'u32',
  yOffset: 'u32',
  yStride: 'u32',
  id: 'i32',
  value: 'f32',
  accumulate: 'u32',
} as const;
