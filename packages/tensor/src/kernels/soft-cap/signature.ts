/** Rows of `x` are D elements at a stride from an offset; `y [rows, D]` is contiguous, and the input where `x` is absent. */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = { rows: 'u32', D: 'u32', xOffset: 'u32', xStride: 'u32', cap: 'f32' } as const;
