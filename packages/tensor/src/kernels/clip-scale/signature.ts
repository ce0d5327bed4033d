/**
 * Tensor p's parts are `partials [starts[p]…starts[p + 1]]`; `slots [P]` are their sums. `hyper [4]` is that of `adamw`,
 * of which element 3, the scale of all gradients, is used. `norm [2]` is the scaled norm and what to multiply gradients by.
 */
export const bindings = {
  partials: { access: 'read', dtypes: ['fp32'] },
  starts: { access: 'read', dtypes: ['u32'] },
  hyper: { access: 'read', dtypes: ['fp32'] },
  slots: { access: 'write', dtypes: ['fp32'] },
  norm: { access: 'write', dtypes: ['fp32'] },
} as const;

/** `maxNorm` 0 clips nothing. */
export const params = { P: 'u32', maxNorm: 'f32' } as const;
