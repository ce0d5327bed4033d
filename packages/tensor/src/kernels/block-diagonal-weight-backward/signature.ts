/**
 * Rows of `x` are NB blocks of DI columns, rows of `dy` NB blocks of DO, each at a stride from an offset;
 * `partials [ceil(rows / chunk), NB*DO*DI + NB*DO]` gets the sums for the weight and then for the bias.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'] },
  partials: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  NB: 'u32',
  DI: 'u32',
  DO: 'u32',
  chunk: 'u32',
  xOffset: 'u32',
  xStride: 'u32',
  dyOffset: 'u32',
  dyStride: 'u32',
} as const;
