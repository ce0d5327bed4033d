/** `x [n]` and `y [n]`, contiguous. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = { n: 'u32', a: 'f32' } as const;
