/**
 * `logits [rows, V]`, replaced by their gradient when `count` is bound; `targets` and `losses` of row r are elements
 * `first + r`; `count [1]`, the number of targets that the mean is taken over; `scale [1]`, the gradient of the loss, 1
 * when absent.
 */
export const bindings = {
  logits: { access: 'read-write', dtypes: ['fp32'] },
  targets: { access: 'read', dtypes: ['i32'] },
  losses: { access: 'read-write', dtypes: ['fp32'] },
  count: { access: 'read', dtypes: ['fp32'], optional: true },
  scale: { access: 'read', dtypes: ['fp32'], optional: true },
} as const;

/** `softCap` 0 leaves the logits as they are. */
export const params = { rows: 'u32', V: 'u32', first: 'u32', ignoreIndex: 'i32', softCap: 'f32' } as const;
