/** `x` and `y [rows, NH*DH]` are contiguous; row r of `gate` starts at `gateOffset + r * gateStride`. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  weight: { access: 'read', dtypes: ['fp32'] },
  bias: { access: 'read', dtypes: ['fp32'], optional: true },
  gate: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  NH: 'u32',
  DH: 'u32',
  eps: 'f32',
  weightOffset: 'f32',
  gateOffset: 'u32',
  gateStride: 'u32',
} as const;
