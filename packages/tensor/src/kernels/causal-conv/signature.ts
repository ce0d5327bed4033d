/** Taps of a convolution at most: what an invocation keeps in registers. */
export const MAX_TAPS = 8;

/** Times that an invocation computes. */
export const TIMES = 32;

/**
 * `x` has B*S rows of D elements at a stride from an offset; `weight [D, 1, K]`, `bias [D]`, `state` and `nextState
 * [B, K-1, D]`, `y [B, S, D]` are contiguous. With `inPlace` the state is read from
 * nextState too, which takes S <= TIMES.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  weight: { access: 'read', dtypes: ['fp32'] },
  bias: { access: 'read', dtypes: ['fp32'], optional: true },
  state: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'write', dtypes: ['fp32'] },
  nextState: { access: 'read-write', dtypes: ['fp32'], optional: true },
} as const;

export const params = {
  B: 'u32',
  S: 'u32',
  D: 'u32',
  K: 'u32',
  xOffset: 'u32',
  xStride: 'u32',
  inPlace: 'u32',
} as const;
