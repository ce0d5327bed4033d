/**
 * `recurrent [NH, 4, DH_out, DH_in]` becomes `packed [NH, DH_in, DH_out, 4]` where `by_input` is 1, what y is multiplied
 * by, and `[NH, DH_out, DH_in, 4]` where it is 0, what gradients are multiplied by.
 */
export const bindings = {
  recurrent: { access: 'read', dtypes: ['fp32'] },
  packed: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = { NH: 'u32', DH: 'u32', by_input: 'u32' } as const;
