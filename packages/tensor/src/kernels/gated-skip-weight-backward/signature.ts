/** `a` and `dy [rows, D]` are contiguous, rows of `z` at `zStride`; `partials [ceil(rows / chunk), D]` gets the sums. */
export const bindings = {
  a: { access: 'read', dtypes: ['fp32'] },
  z: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'] },
  partials: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = { rows: 'u32', D: 'u32', chunk: 'u32', zOffset: 'u32', zStride: 'u32' } as const;
