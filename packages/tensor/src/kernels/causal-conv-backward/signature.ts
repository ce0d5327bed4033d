/**
 * `weight [D, 1, K]`, `dy [B, S, D]`, `dnextState` and `dstate [B, K-1, D]` are contiguous; `dx` has B*S rows of D elements
 * at a stride from an offset. Gradients that are absent are not made.
 */
export const bindings = {
  weight: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'] },
  dnextState: { access: 'read', dtypes: ['fp32'], optional: true },
  dx: { access: 'read-write', dtypes: ['fp32'], optional: true },
  dstate: { access: 'read-write', dtypes: ['fp32'], optional: true },
} as const;

export const params = {
  B: 'u32',
  S: 'u32',
  D: 'u32',
  K: 'u32',
  dxOffset: 'u32',
  dxStride: 'u32',
  accumulateX: 'u32',
  accumulateState: 'u32',
} as const;
