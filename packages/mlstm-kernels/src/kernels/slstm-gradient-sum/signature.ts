/**
 * `source`: from `offset` on, `planes` times `[B, S, G, NH, DH]`, `stride` elements apart; `target`: element
 * (b, s, gate, head, d) by its layout. `accumulate` 1 adds to what is there.
 */
export const bindings = {
  source: { access: 'read', dtypes: ['fp32'] },
  target: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  target_offset: 'u32',
  target_batch: 'u32',
  target_head: 'u32',
  target_step: 'u32',
  target_gate: 'u32',
  B: 'u32',
  S: 'u32',
  G: 'u32',
  NH: 'u32',
  DH: 'u32',
  offset: 'u32',
  planes: 'u32',
  stride: 'u32',
  accumulate: 'u32',
} as const;
