/** Rows of `source` and `target` are D elements at a stride from an offset each. */
export const bindings = {
  source: { access: 'read', dtypes: ['fp32'] },
  target: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  D: 'u32',
  sourceOffset: 'u32',
  sourceStride: 'u32',
  targetOffset: 'u32',
  targetStride: 'u32',
  accumulate: 'u32',
} as const;
