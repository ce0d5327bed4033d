/** Rows of x that one launch takes at most: the sums of all of them are in registers. */
export const MAX_ROWS = 8;
/** Rows of x times heads, where x is normalised head by head. */
export const MAX_HEADS = 512;

/** What happens to x before the product. */
export const PROLOGUES = { none: 0, rmsNorm: 1, headNorm: 2 } as const;
/** What happens to the product before it is in y. */
export const EPILOGUES = { store: 0, add: 1, swiglu: 2 } as const;

/**
 * `x [M, K]` contiguous; `gate` rows of K at `gateStride` from `gateOffset`; `norm [K]`, the norm's weight; `biases` at offsets;
 * `weight [rows, K]` (u32: codes as in `QuantizedRows`), `scales [rows, K / group]`; `extra [E, K]`; `y`: M rows at `yStride`.
 */
export const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  gate: { access: 'read', dtypes: ['fp32'], optional: true },
  norm: { access: 'read', dtypes: ['fp32'], optional: true },
  biases: { access: 'read', dtypes: ['fp32'], optional: true },
  weight: { access: 'read', dtypes: ['fp32', 'fp16', 'bf16', 'u32'] },
  scales: { access: 'read', dtypes: ['fp16'], optional: true },
  extra: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/**
 * `N` outputs go to the columns from `yOffset`; with swiglu, output n is made of the weight rows n and `up` + n. `bits` and
 * `group` describe a quantised weight, 0 otherwise. `biased` says whether `biases` holds those of the weight at `biasOffset` (and
 * those of the up rows at `upBiasOffset`). A cap of 0 is none. The `E` extra rows, with biases at `extraBiasOffset`, go to
 * the columns from `extraOffset`.
 */
export const params = {
  M: 'u32',
  N: 'u32',
  K: 'u32',
  prologue: 'u32',
  epilogue: 'u32',
  bits: 'u32',
  group: 'u32',
  up: 'u32',
  yOffset: 'u32',
  yStride: 'u32',
  heads: 'u32',
  gateOffset: 'u32',
  gateStride: 'u32',
  biased: 'u32',
  biasOffset: 'u32',
  upBiasOffset: 'u32',
  E: 'u32',
  extraOffset: 'u32',
  extraBiasOffset: 'u32',
  eps: 'f32',
  cap: 'f32',
  extraCap: 'f32',
} as const;
