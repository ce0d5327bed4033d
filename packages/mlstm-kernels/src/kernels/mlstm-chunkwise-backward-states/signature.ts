/**
 * `q [B, NH, S, DHQK]` and `dh [B, NH, S, DHHV]` by their layouts, `rows` as `mlstm_backward_rows` made them; `entering` and
 * `last`, states as `mlstm_chunkwise_states` made them. `carry`, C [B, NH, DHQK, DHHV] | n [B, NH, DHQK] (| m, left alone),
 * is the gradient of the last state on entry and of the initial one on exit. `leaving` gets the gradient of the state that
 * each chunk leaves: C [B, NH, NC, DHQK, DHHV] | n [B, NH, NC, DHQK]. `flux` gets the product of state and gradient where
 * chunk c is entered, and after the last: partial sums [row tiles, column tiles, B, NH, NC + 1] by 64 x 64 of C.
 */
export const bindings = {
  q: { access: 'read', dtypes: ['fp32'] },
  dh: { access: 'read', dtypes: ['fp32'] },
  rows: { access: 'read', dtypes: ['fp32'] },
  entering: { access: 'read', dtypes: ['fp32'] },
  last: { access: 'read', dtypes: ['fp32'] },
  carry: { access: 'read-write', dtypes: ['fp32'] },
  leaving: { access: 'write', dtypes: ['fp32'] },
  flux: { access: 'write', dtypes: ['fp32'] },
} as const;

export const params = {
  q_offset: 'u32',
  q_batch: 'u32',
  q_head: 'u32',
  q_step: 'u32',
  dh_offset: 'u32',
  dh_batch: 'u32',
  dh_head: 'u32',
  dh_step: 'u32',
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  DHQK: 'u32',
  DHHV: 'u32',
  L: 'u32',
} as const;
