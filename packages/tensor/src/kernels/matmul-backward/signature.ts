/**
 * `a [R, inner]`, or `[inner, R]` when `transposed`, its rows at a stride from an offset; `b [inner, C]` from an offset;
 * `y [splits, R, C]` from an offset, a split being `innerPerSplit` terms of the sum.
 */
export const bindings = {
  a: { access: 'read', dtypes: ['fp32'] },
  b: { access: 'read', dtypes: ['fp32', 'fp16', 'bf16'] },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/** With `accumulate` 1 the product is added to what `y` holds; with 0 it replaces it. */
export const params = {
  R: 'u32',
  C: 'u32',
  inner: 'u32',
  innerPerSplit: 'u32',
  transposed: 'u32',
  aOffset: 'u32',
  aStride: 'u32',
  bOffset: 'u32',
  yOffset: 'u32',
  accumulate: 'u32',
} as const;
