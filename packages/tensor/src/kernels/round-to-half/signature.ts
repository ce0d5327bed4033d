/**
 * `x [rows, D]`, its rows at a stride from an offset; `y [rows, yStride]`, zeros from D on; `max`, when present, the bits of
 * the largest magnitude in x.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  max: { access: 'read', dtypes: ['u32'], optional: true },
  y: { access: 'write', dtypes: ['fp16'] },
} as const;

export const params = { rows: 'u32', D: 'u32', xOffset: 'u32', xStride: 'u32', yStride: 'u32' } as const;
