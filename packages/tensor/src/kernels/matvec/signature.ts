/** Rows of x that one launch takes at most: the sums of all of them are in registers. */
export const MAX_ROWS = 8;

/** `x [M, K]`, `weight [N, K]`, `bias [N]`, `y [M, N]`, all contiguous; M is 1…8. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  weight: { access: 'read', dtypes: ['fp32', 'fp16', 'bf16'] },
  bias: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/** With `accumulate` 1 the product is added to what `y` holds; with 0 it replaces it. */
export const params = { M: 'u32', N: 'u32', K: 'u32', accumulate: 'u32' } as const;
