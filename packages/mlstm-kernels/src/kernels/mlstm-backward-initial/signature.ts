/**
 * `carry`, C [B, NH, DHQK, DHHV] | n [B, NH, DHQK] | m, as `mlstm_chunkwise_backward_states` left it, and its `flux
 * [flux_tiles, B, NH, NC + 1]`. `gradient` gets C | n of `carry`, and m [B, NH]: the product of the initial state and its
 * gradient. With `accumulate` 1, they are added to what is there.
 */
export const bindings = {
  carry: { access: 'read', dtypes: ['fp32'] },
  flux: { access: 'read', dtypes: ['fp32'] },
  gradient: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  B: 'u32',
  NH: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  NC: 'u32',
  flux_tiles: 'u32',
  accumulate: 'u32',
} as const;
