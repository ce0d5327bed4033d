/**
 * `x [M, K]`, `weight [rows, K]`, `bias [columns]`, `y [M, stride]`. Of quantised weights `weight` holds the codes as
 * u32 and `scales [rows, K / group]` what they are multiplied by.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  weight: { access: 'read', dtypes: ['fp32', 'fp16', 'bf16', 'u32'] },
  bias: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'read-write', dtypes: ['fp32'] },
  scales: { access: 'read', dtypes: ['fp16'], optional: true },
} as const;

/**
 * With `accumulate` 1 the product is added to what `y` holds; with 0 it replaces it. Weight rows `row … row + N − 1` make
 * columns `column … column + N − 1` of a y whose rows are `stride` elements apart; the whole is 0, 0, N. `bits` is 8 or 4 and
 * `group` 32, 64 or 128 where the weights are codes (`quantizeRows`) with scales, else both are 0.
 */
export const params = {
  M: 'u32',
  N: 'u32',
  K: 'u32',
  accumulate: 'u32',
  row: 'u32',
  column: 'u32',
  stride: 'u32',
  bits: 'u32',
  group: 'u32',
} as const;
