/** Rows of `x [rows, D]` at a stride from an offset; `max [1]` takes the larger of its bits and those of each |x|. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  max: { access: 'read-write', dtypes: ['u32'] },
} as const;

export const params = { rows: 'u32', D: 'u32', xOffset: 'u32', xStride: 'u32' } as const;
