/** `x`, `dy` and `dx [rows, D]` are contiguous; `stats [rows, 2]` gets mean (0) and reciprocal deviation. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  weight: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'] },
  dx: { access: 'read-write', dtypes: ['fp32'], optional: true },
  stats: { access: 'write', dtypes: ['fp32'], optional: true },
} as const;

export const params = { rows: 'u32', D: 'u32', eps: 'f32', accumulate: 'u32' } as const;
