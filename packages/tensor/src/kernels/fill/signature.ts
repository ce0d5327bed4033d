/** Rows of `y` are D elements at a stride from an offset. */
export const bindings = {
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = { rows: 'u32', D: 'u32', yOffset: 'u32', yStride: 'u32', value: 'f32' } as const;
