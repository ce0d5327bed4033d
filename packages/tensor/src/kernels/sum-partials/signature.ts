/** `partials` has `parts` rows of `stride` elements, of which those from `offset` on are summed into `y [N]`. */
export const bindings = {
  partials: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = { parts: 'u32', stride: 'u32', offset: 'u32', N: 'u32', accumulate: 'u32' } as const;
