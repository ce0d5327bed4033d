/**
 * `a [M, K]`, or `[K, M]`, its rows at a stride; `b [N, K]`, or `[K, N]`, from an offset, its rows at a stride: fp16, bf16
 * (rounded to fp16), or packed codes with `scales [N, K / group]`. `aMax`, `bMax` are the bits of the largest magnitude that
 * an operand had before `roundToHalf` scaled it. `bias [N]` from an offset. `y [splits, M, N]`, its rows at a stride from an
 * offset, a split being `kPerSplit` terms of the sum.
 */
export const bindings = {
  a: { access: 'read', dtypes: ['fp16'] },
  b: { access: 'read', dtypes: ['fp16', 'bf16', 'u32'] },
  scales: { access: 'read', dtypes: ['fp16'], optional: true },
  aMax: { access: 'read', dtypes: ['u32'], optional: true },
  bMax: { access: 'read', dtypes: ['u32'], optional: true },
  bias: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/**
 * `aAlongK` 1: the rows of a are [M, K]; 0: [K, M]. `bAlongK` 1: the rows of b are [N, K]; 0: [K, N]. `group` and `bits` are 0
 * unless b is codes: 8 bits, four a word, or 4 bits, eight a word, a scale for each `group` of a row; `bOffset`, in elements,
 * is then that of a row. With `accumulate` 1 the product is added to what `y` holds; with 0 it replaces it.
 */
export const params = {
  M: 'u32',
  N: 'u32',
  K: 'u32',
  kPerSplit: 'u32',
  aAlongK: 'u32',
  aStride: 'u32',
  bAlongK: 'u32',
  bOffset: 'u32',
  bStride: 'u32',
  biasOffset: 'u32',
  yOffset: 'u32',
  yStride: 'u32',
  accumulate: 'u32',
  group: 'u32',
  bits: 'u32',
} as const;
