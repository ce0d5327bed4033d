/** `x [length]`; part p of the sum goes to `partials [first + p]`. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  partials: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = { length: 'u32', first: 'u32', parts: 'u32' } as const;
