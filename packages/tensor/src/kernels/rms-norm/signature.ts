/** Rows of `x [rows, D]` are contiguous. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  weight: { access: 'read', dtypes: ['fp32'] },
  bias: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = { rows: 'u32', D: 'u32', eps: 'f32' } as const;
