/**
 * Rows of `x` and `y` are D elements at a stride from an offset each; `seed [2]` holds seed and step. Words below
 * `threshold` drop an element, others scale it by `scale`.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  seed: { access: 'read', dtypes: ['u32'] },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  rows: 'u32',
  D: 'u32',
  xOffset: 'u32',
  xStride: 'u32',
  yOffset: 'u32',
  yStride: 'u32',
  stream: 'u32',
  threshold: 'u32',
  scale: 'f32',
  accumulate: 'u32',
} as const;

/** Part of the counter, so that no other use of Philox with the same seed draws the same words. */
export const COUNTER_TAG = 0x64726f70;
