/**
 * `rows` as `mlstm_backward_rows` made them, `flux [flux_tiles, B, NH, NC + 1]` as `mlstm_chunkwise_backward_states` did.
 * The plane m [B, NH] of `carry` (C | n | m) is the gradient of the last state's m on entry: with `whole` 1 while C and n are
 * held, else while the true state is. On exit it is that of the initial m while the true state is held.
 * `shares` gets what belongs to the input gates and to the forget gates: two planes [B, NH, S].
 */
export const bindings = {
  rows: { access: 'read', dtypes: ['fp32'] },
  flux: { access: 'read', dtypes: ['fp32'] },
  carry: { access: 'read-write', dtypes: ['fp32'] },
  shares: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  L: 'u32',
  flux_tiles: 'u32',
  whole: 'u32',
  sigmoid: 'u32',
} as const;
