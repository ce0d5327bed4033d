/** Rows of `gate` and `up` are D elements at a stride from an offset; `y [rows, D]` is contiguous. `activation`: 0 silu, 1 gelu. */
export const bindings = {
  gate: { access: 'read', dtypes: ['fp32'] },
  up: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  D: 'u32',
  gateOffset: 'u32',
  gateStride: 'u32',
  upOffset: 'u32',
  upStride: 'u32',
  activation: 'u32',
} as const;
