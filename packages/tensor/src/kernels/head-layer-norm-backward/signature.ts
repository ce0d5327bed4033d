/**
 * `x`, `dy` and `dx [rows, NH*DH]` are contiguous; rows of `gate` and of `dgate` are at a stride from an offset each;
 * `stats [rows, NH, 2]` gets mean and reciprocal deviation. Outputs that are absent are not made.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  weight: { access: 'read', dtypes: ['fp32'] },
  bias: { access: 'read', dtypes: ['fp32'], optional: true },
  gate: { access: 'read', dtypes: ['fp32'], optional: true },
  dy: { access: 'read', dtypes: ['fp32'] },
  dx: { access: 'read-write', dtypes: ['fp32'], optional: true },
  dgate: { access: 'read-write', dtypes: ['fp32'], optional: true },
  stats: { access: 'write', dtypes: ['fp32'], optional: true },
} as const;

export const params = {
  rows: 'u32',
  NH: 'u32',
  DH: 'u32',
  eps: 'f32',
  weightOffset: 'f32',
  gateOffset: 'u32',
  gateStride: 'u32',
  dgateOffset: 'u32',
  dgateStride: 'u32',
  accumulateX: 'u32',
  accumulateGate: 'u32',
} as const;
