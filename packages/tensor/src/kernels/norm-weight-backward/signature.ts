/**
 * `x` and `dy [rows, NH*DH]` are contiguous, row r of `gate` starts at `gateOffset + r * gateStride`; `stats
 * [rows, NH, 2]` holds mean and reciprocal deviation, `partials [ceil(rows / chunk), 2, NH*DH]` gets the sums.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  gate: { access: 'read', dtypes: ['fp32'], optional: true },
  dy: { access: 'read', dtypes: ['fp32'] },
  stats: { access: 'read', dtypes: ['fp32'] },
  partials: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  NH: 'u32',
  DH: 'u32',
  chunk: 'u32',
  gateOffset: 'u32',
  gateStride: 'u32',
} as const;
