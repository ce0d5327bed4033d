// index[r] = argmax of logits[r, :], one workgroup a row; ties go to the lowest index, NaN never wins.

struct Params { rows: u32, V: u32 }

@group(0) @binding(0) var<storage, read> logits: array<u32>;      // [rows, V], bits of f32
@group(0) @binding(1) var<storage, read_write> index: array<i32>; // [rows]
@group(0) @binding(2) var<uniform> params: Params;

override THREADS: u32 = 256; // a power of two

var<workgroup> keys: array<u32, THREADS>;
var<workgroup> places: array<u32, THREADS>;

// Orders like the floats do, with NaN below all and -0 = +0.
fn orderedKey(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0u; }
  if (bits == 0x80000000u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

@compute @workgroup_size(THREADS)
fn argmax(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) thread: u32) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  var best = 0u;
  var place = 0u;
  for (var v = thread; v < params.V; v += THREADS) {
    let key = orderedKey(logits[row * params.V + v]);
    if (key > best) {
      best = key;
      place = v;
    }
  }
  keys[thread] = best;
  places[thread] = place;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      let other = keys[thread + half];
      let otherPlace = places[thread + half];
      if (other > keys[thread] || (other == keys[thread] && otherPlace < places[thread])) {
        keys[thread] = other;
        places[thread] = otherPlace;
      }
    }
  }
  if (thread == 0u) { index[row] = i32(places[0]); }
}
