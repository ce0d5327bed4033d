// dweight [V, D] (+)= sums of dy [T, D] over the tokens of each id.
// The workgroups of one id (group.z of them, each with its columns) go through all ids in blocks of BLOCK: every
// invocation marks in a bit mask which tokens are theirs, then takes its columns of dy at the marked tokens, in order.
// Nearly all blocks of a large vocabulary mark nothing.

struct Params { T: u32, V: u32, D: u32, accumulate: u32 }

@group(0) @binding(0) var<storage, read> ids: array<i32>;           // [T]
@group(0) @binding(1) var<storage, read> dy: array<f32>;            // [T, D]
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>; // [V, D]
@group(0) @binding(3) var<uniform> params: Params;

override THREADS: u32 = 256; // 8 at least
override WORDS: u32 = 32;    // THREADS / 8: four tokens an invocation, 32 a word
const PER_THREAD = 4u;

// Setting bits gives one result in whatever order they are set.
var<workgroup> marks: array<atomic<u32>, WORDS>;

// The sum of column d of dy over the marked tokens of a block. Up to four loads are under way at once.
fn marked_sum(base: u32, d: u32) -> f32 {
  var sum = 0.0;
  for (var word = 0u; word < WORDS; word++) {
    var bits = atomicLoad(&marks[word]);
    while (bits != 0u) {
      let t0 = firstTrailingBit(bits);
      bits &= bits - 1u;
      let has1 = bits != 0u;
      let t1 = select(t0, firstTrailingBit(bits), has1);
      bits &= bits - 1u; // 0 stays 0
      let has2 = bits != 0u;
      let t2 = select(t0, firstTrailingBit(bits), has2);
      bits &= bits - 1u;
      let has3 = bits != 0u;
      let t3 = select(t0, firstTrailingBit(bits), has3);
      bits &= bits - 1u;
      let start = (base + word * 32u) * params.D + d;
      let values = vec4(dy[start + t0 * params.D], dy[start + t1 * params.D],
                        dy[start + t2 * params.D], dy[start + t3 * params.D]);
      let kept = select(vec4(0.0), values, vec4(true, has1, has2, has3));
      sum += (kept.x + kept.y) + (kept.z + kept.w);
    }
  }
  return sum;
}

@compute @workgroup_size(THREADS)
fn embedding_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                      @builtin(local_invocation_index) thread: u32) {
  let v = group.x + group.y * groups.x;
  if (v >= params.V) { return; }
  let first = group.z * THREADS + thread;
  let step = groups.z * THREADS;
  if (params.accumulate == 0u) {
    for (var d = first; d < params.D; d += step) { dweight[v * params.D + d] = 0.0; }
  }
  for (var base = 0u; base < params.T; base += THREADS * PER_THREAD) {
    workgroupBarrier(); // the block before has been read
    if (thread < WORDS) { atomicStore(&marks[thread], 0u); }
    workgroupBarrier();
    for (var part = 0u; part < PER_THREAD; part++) {
      let place = part * THREADS + thread;
      if (base + place < params.T && ids[base + place] == i32(v)) {
        atomicOr(&marks[place / 32u], 1u << (place % 32u));
      }
    }
    workgroupBarrier();
    var any = 0u;
    for (var word = 0u; word < WORDS; word++) { any |= atomicLoad(&marks[word]); }
    if (any != 0u) {
      // An invocation has its columns to itself.
      for (var d = first; d < params.D; d += step) { dweight[v * params.D + d] += marked_sum(base, d); }
    }
  }
}
