/**
 * `ids [rows]`, `weight [V, D]`, `y [rows, D]`, all contiguous. Of a quantised table `weight` holds the codes as u32 and
 * `scales [V, D / group]` what they are multiplied by.
 */
export const bindings = {
  ids: { access: 'read', dtypes: ['i32'] },
  weight: { access: 'read', dtypes: ['fp32', 'fp16', 'bf16', 'u32'] },
  y: { access: 'read-write', dtypes: ['fp32'] },
  scales: { access: 'read', dtypes: ['fp16'], optional: true },
} as const;

/**
 * The table's rows `firstRow … firstRow + V − 1` of `total` lie here; rows of y for ids elsewhere in it are left alone. `bits` and
 * `group` are those of a quantised table, else 0.
 */
export const params = {
  rows: 'u32',
  V: 'u32',
  D: 'u32',
  firstRow: 'u32',
  total: 'u32',
  bits: 'u32',
  group: 'u32',
} as const;
