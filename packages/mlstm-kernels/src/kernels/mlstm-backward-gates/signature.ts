/**
 * The pre-activations of one gate, `gate [B, NH, S]`, and `gradient [B, NH, S]` by their layouts: the forget gate's with
 * `forget` 1, else the input gate's. `flows` as `mlstm_chunkwise_backward_scores` made them; `arriving` and `departing
 * [tiles, B, NH, S]`, partial sums of what reaches a step from the state its chunk is entered with, and what it sends to the
 * state that the chunk leaves; `flux [flux_tiles, B, NH, NC + 1]` of what passes into each chunk and out of the last;
 * `shares [2, B, NH, S]` of what comes through the stabiliser. With `accumulate` 1, the gradient is added to what is there.
 */
export const bindings = {
  gate: { access: 'read', dtypes: ['fp32'] },
  flows: { access: 'read', dtypes: ['fp32'] },
  arriving: { access: 'read', dtypes: ['fp32'] },
  departing: { access: 'read', dtypes: ['fp32'] },
  flux: { access: 'read', dtypes: ['fp32'] },
  shares: { access: 'read', dtypes: ['fp32'] },
  gradient: { access: 'read-write', dtypes: ['fp32'] },
} as const;

export const params = {
  gate_offset: 'u32',
  gate_batch: 'u32',
  gate_head: 'u32',
  gate_step: 'u32',
  gradient_offset: 'u32',
  gradient_batch: 'u32',
  gradient_head: 'u32',
  gradient_step: 'u32',
  B: 'u32',
  NH: 'u32',
  S: 'u32',
  L: 'u32',
  tiles: 'u32',
  flux_tiles: 'u32',
  forget: 'u32',
  sigmoid: 'u32',
  accumulate: 'u32',
} as const;
