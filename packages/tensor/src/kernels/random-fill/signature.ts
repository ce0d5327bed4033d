/** A buffer of u32 takes random bits; scale and mean say nothing then. */
export const bindings = {
  y: { access: 'write', dtypes: ['fp32', 'fp16', 'bf16', 'u32'] },
} as const;

export const params = { length: 'u32', seed: 'u32', scale: 'f32', mean: 'f32' } as const;
