/**
 * Rows of `gate`, `up`, `dgate` and `dup` are D elements at a stride from an offset each; `dy [rows, D]` is contiguous.
 * `outputs` says which are made: dgate 1, dup 2. Where
 * `dup` is absent and wanted, it lies in the buffer that is bound as `dgate`.
 */
export const bindings = {
  gate: { access: 'read', dtypes: ['fp32'] },
  up: { access: 'read', dtypes: ['fp32'] },
  dy: { access: 'read', dtypes: ['fp32'] },
  dgate: { access: 'read-write', dtypes: ['fp32'] },
  dup: { access: 'read-write', dtypes: ['fp32'], optional: true },
} as const;

export const params = {
  rows: 'u32',
  D: 'u32',
  gateOffset: 'u32',
  gateStride: 'u32',
  upOffset: 'u32',
  upStride: 'u32',
  dgateOffset: 'u32',
  dgateStride: 'u32',
  dupOffset: 'u32',
  dupStride: 'u32',
  accumulateGate: 'u32',
  accumulateUp: 'u32',
  outputs: 'u32',
  activation: 'u32',
} as const;
