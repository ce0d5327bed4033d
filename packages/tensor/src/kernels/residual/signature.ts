/** All are contiguous runs of `count` elements; `result` is the first summand where `x` is absent. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'read', dtypes: ['fp32'] },
  result: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = { count: 'u32' } as const;
