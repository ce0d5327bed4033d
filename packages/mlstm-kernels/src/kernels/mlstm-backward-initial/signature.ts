/**
 * `carry`, C [B, NH, DHQK, DHHV] | n [B, NH, DHQK] | m [B, NH], as `mlstm_chunkwise_backward_states` and
 * `mlstm_backward_stabilizer` left it, and `flux [flux_tiles, B, NH, NC + 1]`. `gradient` gets C | n of `carry`, and m: what
 * `carry` has, and the product of the initial state and its gradient; 0 with `sigmoid` 1. With `accumulate` 1, they are
 * added to what is there.
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
  sigmoid: 'u32',
  accumulate: 'u32',
} as const;
