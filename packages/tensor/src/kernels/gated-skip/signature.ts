/** `h`, `a` and `y [rows, D]` are contiguous, `skip [D]`; rows of `z` are D elements at `zStride` from `zOffset`. */
export const bindings = {
  h: { access: 'read', dtypes: ['fp32'] },
  skip: { access: 'read', dtypes: ['fp32'] },
  a: { access: 'read', dtypes: ['fp32'] },
  z: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = { rows: 'u32', D: 'u32', zOffset: 'u32', zStride: 'u32' } as const;
