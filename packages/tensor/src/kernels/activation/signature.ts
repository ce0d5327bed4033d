/** Rows of `x` are D elements at a stride from an offset; `y [rows, D]` is contiguous. `activation`: 0 silu, 1 gelu. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = { rows: 'u32', D: 'u32', xOffset: 'u32', xStride: 'u32', activation: 'u32' } as const;
