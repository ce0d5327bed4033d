/**
 * `h`, `a`, `dy`, `dh` and `da [rows, D]` are contiguous, `skip [D]`; rows of `z` and of `dz` are D elements at a stride
 * from an offset each. Gradients that are absent are not made.
 */
export const bindings = {
  h: { access: 'read', dtypes: ['fp32'] },
  skip: { access: 'read', dtypes: ['fp32'] },
  a: { access: 'read', dtypes: ['fp32'] },
  z: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'] },
  dh: { access: 'read-write', dtypes: ['fp32'], optional: true },
  da: { access: 'read-write', dtypes: ['fp32'], optional: true },
  dz: { access: 'read-write', dtypes: ['fp32'], optional: true },
} as const;

export const params = {
  rows: 'u32',
  D: 'u32',
  zOffset: 'u32',
  zStride: 'u32',
  dzOffset: 'u32',
  dzStride: 'u32',
  accumulateH: 'u32',
  accumulateA: 'u32',
  accumulateZ: 'u32',
} as const;
