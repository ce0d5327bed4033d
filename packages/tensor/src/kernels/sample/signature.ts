/**
 * All are contiguous: `logits` and `seen [B, V]`, `counter` and `token [B]`, `settings [B, 8]`: for each row what it is
 * drawn with, in place of the parameters (`settings.ts` has the layout).
 */
export const bindings = {
  logits: { access: 'read', dtypes: ['fp32'] },
  seen: { access: 'read-write', dtypes: ['u32'], optional: true },
  counter: { access: 'read-write', dtypes: ['u32'] },
  token: { access: 'write', dtypes: ['i32'] },
  settings: { access: 'read', dtypes: ['u32'], optional: true },
} as const;

/** 0 turns topK and minP off, 1 topP and repetitionPenalty; temperature 0 is greedy. */
export const params = {
  B: 'u32',
  V: 'u32',
  temperature: 'f32',
  topK: 'u32',
  topP: 'f32',
  minP: 'f32',
  repetitionPenalty: 'f32',
  seedLow: 'u32',
  seedHigh: 'u32',
} as const;
