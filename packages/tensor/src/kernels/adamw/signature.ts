/**
 * `parameter`, `gradient`, `first` and `second [length]`: the weights, their gradient and its moments. `hyper [4]` is the
 * learning rate, 1/(1 − β1^t), 1/(1 − β2^t), and the scale of all gradients; `norm [2]` that of `clip_scale`.
 */
export const bindings = {
  parameter: { access: 'read-write', dtypes: ['fp32'] },
  gradient: { access: 'read', dtypes: ['fp32'] },
  first: { access: 'read-write', dtypes: ['fp32'] },
  second: { access: 'read-write', dtypes: ['fp32'] },
  hyper: { access: 'read', dtypes: ['fp32'] },
  norm: { access: 'read', dtypes: ['fp32'] },
} as const;

/** `gain1` and `gain2` are 1 − β1 and 1 − β2, which float32 would not have from the betas. */
export const params = {
  length: 'u32',
  beta1: 'f32',
  beta2: 'f32',
  gain1: 'f32',
  gain2: 'f32',
  eps: 'f32',
  weightDecay: 'f32',
} as const;
