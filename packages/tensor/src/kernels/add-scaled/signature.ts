/** `x` and `y [count]` are contiguous, `scale [1]`. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  scale: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/** With `accumulate` 1 the product is added to what `y` holds; with 0 it replaces it. */
export const params = { count: 'u32', accumulate: 'u32' } as const;
