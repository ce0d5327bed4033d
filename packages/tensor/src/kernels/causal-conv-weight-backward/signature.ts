/**
 * `x` has B*S rows of D elements at a stride from an offset; `state [B, K-1, D]` and `dy [B, S, D]` are contiguous;
 * `partials [ceil(B*S / chunk), D*K + D]` gets the sums for the weight and then for the bias.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  state: { access: 'read', dtypes: ['fp32'], optional: true },
  dy: { access: 'read', dtypes: ['fp32'] },
  partials: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  B: 'u32',
  S: 'u32',
  D: 'u32',
  K: 'u32',
  chunk: 'u32',
  xOffset: 'u32',
  xStride: 'u32',
} as const;
