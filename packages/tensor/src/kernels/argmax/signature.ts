/** `logits [rows, V]` and `index [rows]` are contiguous. */
export const bindings = {
  logits: { access: 'read', dtypes: ['fp32'] },
  index: { access: 'write', dtypes: ['i32'] },
} as const;

export const params = { rows: 'u32', V: 'u32' } as const;
