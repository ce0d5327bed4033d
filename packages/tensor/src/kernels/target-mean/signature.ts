/** `targets [T]`, `losses [T]`, `result [1]`. */
export const bindings = {
  targets: { access: 'read', dtypes: ['i32'] },
  losses: { access: 'read', dtypes: ['fp32'], optional: true },
  result: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = { T: 'u32', ignoreIndex: 'i32' } as const;
