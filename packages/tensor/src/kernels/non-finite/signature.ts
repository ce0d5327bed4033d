/** `x [length]`; the count of part p goes to `counts [first + p]`. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  counts: { access: 'read-write', dtypes: ['u32'] },
} as const;

export const params = { length: 'u32', first: 'u32', parts: 'u32' } as const;
