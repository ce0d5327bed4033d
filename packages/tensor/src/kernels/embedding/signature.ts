/** `ids [rows]`, `weight [V, D]`, `y [rows, D]`, all contiguous. */
export const bindings = {
  ids: { access: 'read', dtypes: ['i32'] },
  weight: { access: 'read', dtypes: ['fp32', 'fp16', 'bf16'] },
  y: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = { rows: 'u32', V: 'u32', D: 'u32' } as const;
