// The vector form: K % 8 == 0. shared.wgsl, vectors.wgsl and what rows-text.ts writes come before this text.
//
// A workgroup makes GROUPS groups of ROW_COUNT weight rows. Subgroup s works on group s % GROUPS; where there are more
// subgroups than groups, those of one group share K. A lane takes every `lanes`-th chunk of 16 bytes of each row. The
// first chunks are asked for before x is made ready, so that the memory answers meanwhile.

@compute @workgroup_size(THREADS)
fn fused_linear(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
                @builtin(local_invocation_index) thread: u32,
                @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane_in_subgroup: u32) {
  let index = workgroup.x + workgroup.y * workgroups.x;
  let extras = (params.E + GROUPS - 1u) / GROUPS;
  let is_extra = index < extras;
  let subgroup = thread / size;
  let parts = THREADS / size / GROUPS;
  let lanes = parts * size;
  let lane = subgroup / GROUPS * size + lane_in_subgroup;
  let group = subgroup % GROUPS;
  let first = (index - select(extras, 0u, is_extra)) * GROUPS * OUTPUTS;

  let chunks = params.K / ELEMENTS;
  let steps = chunks / (DEPTH * lanes);
  let starts = row_starts(first + group * OUTPUTS, chunks);
  var words: Words;
  if (!is_extra && steps > 0u) { words = load(starts, lane, lanes); }

  let outputs = GROUPS * select(OUTPUTS, 1u, is_extra);
  let before = added(thread / outputs, first + thread % outputs); // for the first output of this invocation

  prepare(thread, subgroup, lane_in_subgroup);

  var sums: Sums;
  if (is_extra) {
    let row = min(index * GROUPS + group, params.E - 1u) * (params.K / 4u);
    for (var pair = lane; pair < params.K / 8u; pair += lanes) {
      let a = extra[row + 2u * pair];
      let b = extra[row + 2u * pair + 1u];
      for (var m = 0u; m < ROWS; m++) { sums[m][0] += dot(a, x_vector(m, 2u * pair)) + dot(b, x_vector(m, 2u * pair + 1u)); }
    }
  } else {
    var chunk = lane;
    for (var step = 1u; step < steps; step++) {
      let next = load(starts, chunk + DEPTH * lanes, lanes);
      use_words(starts, words, chunk, lanes, &sums);
      words = next;
      chunk += DEPTH * lanes;
    }
    if (steps > 0u) { use_words(starts, words, chunk, lanes, &sums); }
    for (chunk = steps * DEPTH * lanes + lane; chunk < chunks; chunk += lanes) { use_chunk_at(starts, chunk, &sums); }
  }

  for (var m = 0u; m < ROWS; m++) {
    for (var r = 0u; r < ROW_COUNT; r++) {
      let sum = subgroupAdd(sums[m][r]);
      if (lane_in_subgroup == 0u) { partial[(subgroup * ROWS + m) * ROW_COUNT + r] = sum; }
    }
  }
  workgroupBarrier();
  for (var out = thread; out < outputs * ROWS; out += THREADS) {
    let m = out / outputs;
    let n = out % outputs;
    let scale = norm_scale(m, THREADS / size);
    let own = n / select(OUTPUTS, 1u, is_extra);
    let r = n % select(OUTPUTS, 1u, is_extra);
    var sum = 0.0;
    var up_sum = 0.0;
    for (var part = 0u; part < parts; part++) {
      let at = ((part * GROUPS + own) * ROWS + m) * ROW_COUNT + r;
      sum += partial[at];
      if (EPILOGUE == 2u && !is_extra) { up_sum += partial[at + OUTPUTS]; }
    }
    if (is_extra) {
      store_extra(m, index * GROUPS + n, sum, scale);
    } else {
      var held = before;
      if (out != thread) { held = added(m, first + n); }
      store(m, first + n, sum, up_sum, scale, held);
    }
  }
}
