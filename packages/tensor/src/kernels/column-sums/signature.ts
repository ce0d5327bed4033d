/** Rows of `x` are D elements at a stride from an offset; `y [splits, D]` from an offset, a split being `rowsPerSplit` rows. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/** With `accumulate` 1 the sums are added to what `y` holds; with 0 they replace it. */
export const params = {
  rows: 'u32',
  D: 'u32',
  xOffset: 'u32',
  xStride: 'u32',
  rowsPerSplit: 'u32',
  yOffset: 'u32',
  accumulate: 'u32',
} as const;
