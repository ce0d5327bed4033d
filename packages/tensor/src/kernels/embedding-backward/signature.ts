/** `ids [T]`, `dy [T, D]`, `dweight [V, D]`, all contiguous. */
export const bindings = {
  ids: { access: 'read', dtypes: ['i32'] },
  dy: { access: 'read', dtypes: ['fp32'] },
  dweight: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/** With `accumulate` 1 the gradient is added to what `dweight` holds; with 0 it replaces it. */
export const params = { T: 'u32', V: 'u32', D: 'u32', accumulate: 'u32' } as const;
