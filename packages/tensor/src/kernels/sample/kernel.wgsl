// One token a row from logits [B, V]: repetition penalty, temperature, top-k, top-p, min-p, draw; one workgroup a row.
// Thresholds come from radix searches over order-preserving keys of the logits; see README.md. Compiled with philox.wgsl.

struct Params {
  B: u32, V: u32, temperature: f32, topK: u32, topP: f32, minP: f32, repetitionPenalty: f32, seedLow: u32, seedHigh: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<u32>;        // [B, V], bits of f32
@group(0) @binding(1) var<storage, read_write> seen: array<u32>;    // [B, V], when HAS_SEEN
@group(0) @binding(2) var<storage, read_write> counter: array<u32>; // [B]
@group(0) @binding(3) var<storage, read_write> token: array<i32>;   // [B]
@group(0) @binding(4) var<storage, read> settings: array<u32>;      // [B, 8], when HAS_SETTINGS
@group(0) @binding(5) var<uniform> params: Params;

override HAS_SEEN: u32 = 0;
override HAS_SETTINGS: u32 = 0;
override THREADS: u32 = 256; // a power of two
const BINS = 256u;
// Bins of one invocation in a scan; invocations past the last bin have none.
override BINS_EACH: u32 = 1;
// Weights below e^-80 of the largest count as 0: float32 cannot hold much less.
const SMALLEST_EXPONENT = -80.0;
const GREEDY_BELOW = 1e-20;
// The key of the lowest finite float; below are -infinity and NaN, which are never drawn.
const LOWEST_KEY = 0x00800000u;

var<workgroup> words: array<u32, THREADS>;   // reductions and scans over invocations
var<workgroup> places: array<u32, THREADS>;
var<workgroup> bins: array<atomic<u32>, BINS>;
var<workgroup> chosenBin: u32;
var<workgroup> aboveBin: u32;

// How a row is drawn.
struct Sampling {
  temperature: f32, topK: u32, topP: f32, minP: f32, repetitionPenalty: f32, seed: vec2<u32>,
  stream: u32,  // which of the seed's sequences of random words
}

// The row's own settings, or the launch's with a stream for each row.
fn samplingOf(row: u32) -> Sampling {
  if (HAS_SETTINGS == 0u) {
    return Sampling(params.temperature, params.topK, params.topP, params.minP, params.repetitionPenalty,
                    vec2<u32>(params.seedLow, params.seedHigh), row);
  }
  let at = 8u * row;
  return Sampling(bitcast<f32>(settings[at]), settings[at + 1u], bitcast<f32>(settings[at + 2u]),
                  bitcast<f32>(settings[at + 3u]), bitcast<f32>(settings[at + 4u]),
                  vec2<u32>(settings[at + 5u], settings[at + 6u]), settings[at + 7u]);
}

// What the later steps know of the row.
struct Row {
  start: u32,    // of its logits
  most: u32,     // the largest key
  largest: f32,  // its logit
  lowest: u32,   // the smallest key that may still be drawn
  scale: f32,    // from weights to shares, 2^31 / (sum of weights)
}

// Orders like the floats do, with NaN 0, below all, and -0 = +0.
fn orderedKey(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0u; }
  if (bits == 0x80000000u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn valueOf(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key ^ 0x80000000u, (key >> 31u) == 1u));
}

// The key of a logit after the repetition penalty.
fn keyAt(sampling: Sampling, element: u32) -> u32 {
  let key = orderedKey(logits[element]);
  if (HAS_SEEN == 0u) { return key; }
  if (key == 0u || sampling.repetitionPenalty == 1.0 || seen[element] == 0u) { return key; }
  let value = valueOf(key);
  if (value > 0.0) { return orderedKey(bitcast<u32>(value / sampling.repetitionPenalty)); }
  return orderedKey(bitcast<u32>(value * sampling.repetitionPenalty));
}

// exp((l - max) / T), 0 for what a filter took out. Equal keys first: infinity minus itself is NaN.
fn weightOf(row: Row, sampling: Sampling, key: u32) -> f32 {
  if (key < row.lowest) { return 0.0; }
  if (key == row.most) { return 1.0; }
  let exponent = (valueOf(key) - row.largest) / sampling.temperature;
  if (exponent > SMALLEST_EXPONENT) { return exp(exponent); }
  return 0.0;
}

// A weight as a whole number of 2^-31ths of the sum: such sums do not depend on their order.
fn shareOf(row: Row, sampling: Sampling, key: u32) -> u32 {
  return u32(weightOf(row, sampling, key) * row.scale + 0.5);
}

// The largest key for which the keys at least as large number topK, or hold the share topP of the distribution.
fn threshold(row: Row, sampling: Sampling, thread: u32, byShare: bool) -> u32 {
  var prefix = 0u;
  var remaining = sampling.topK;
  for (var level = 0u; level < 4u; level++) {
    let shift = 24u - 8u * level;
    for (var bin = thread; bin < BINS; bin += THREADS) { atomicStore(&bins[bin], 0u); }
    workgroupBarrier();
    for (var v = thread; v < params.V; v += THREADS) {
      let key = keyAt(sampling, row.start + v);
      if (level > 0u && (key >> (shift + 8u)) != (prefix >> (shift + 8u))) { continue; }
      let measure = select(1u, shareOf(row, sampling, key), byShare);
      if (measure > 0u) { atomicAdd(&bins[(key >> shift) & 255u], measure); }
    }
    workgroupBarrier();
    // Sums of the bins from each invocation's first to the last.
    let first = thread * BINS_EACH;
    let end = min(first + BINS_EACH, BINS);
    var own = 0u;
    for (var bin = first; bin < end; bin++) { own += atomicLoad(&bins[bin]); }
    words[thread] = own;
    for (var step = 1u; step < min(THREADS, BINS); step *= 2u) {
      workgroupBarrier();
      var right = 0u;
      if (thread + step < THREADS) { right = words[thread + step]; }
      workgroupBarrier();
      words[thread] += right;
    }
    workgroupBarrier();
    if (byShare && level == 0u) { remaining = clamp(u32(ceil(sampling.topP * f32(words[0]))), 1u, words[0]); }
    // The one bin in which the sum from above reaches what remains.
    var above = words[thread] - own;
    if (above < remaining && above + own >= remaining) {
      for (var bin = end; bin > first; bin--) {
        let within = atomicLoad(&bins[bin - 1u]);
        if (above + within >= remaining) {
          chosenBin = bin - 1u;
          aboveBin = above;
          break;
        }
        above += within;
      }
    }
    let bin = workgroupUniformLoad(&chosenBin);
    remaining -= workgroupUniformLoad(&aboveBin);
    prefix |= bin << shift;
  }
  return prefix;
}

// The first word for the row's counter.
fn randomWord(row: u32, sampling: Sampling) -> u32 {
  return philox(vec4<u32>(counter[row], sampling.stream, 0u, 0u), sampling.seed).x;
}

fn choose(rowIndex: u32, v: u32) {
  token[rowIndex] = i32(v);
  counter[rowIndex] += 1u;
  if (HAS_SEEN != 0u) { seen[rowIndex * params.V + v] = 1u; }
}

@compute @workgroup_size(THREADS)
fn sample(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) thread: u32) {
  let rowIndex = group.x + group.y * groups.x;
  if (rowIndex >= params.B) { return; }
  let sampling = samplingOf(rowIndex);
  var row: Row;
  row.start = rowIndex * params.V;

  // The largest key and its first place.
  var best = 0u;
  var place = 0u;
  for (var v = thread; v < params.V; v += THREADS) {
    let key = keyAt(sampling, row.start + v);
    if (key > best) {
      best = key;
      place = v;
    }
  }
  words[thread] = best;
  places[thread] = place;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      let other = words[thread + half];
      let otherPlace = places[thread + half];
      if (other > words[thread] || (other == words[thread] && otherPlace < places[thread])) {
        words[thread] = other;
        places[thread] = otherPlace;
      }
    }
  }
  row.most = workgroupUniformLoad(&words[0]);
  row.largest = valueOf(row.most);
  if (sampling.temperature < GREEDY_BELOW || row.most < LOWEST_KEY) {
    if (thread == 0u) { choose(rowIndex, places[0]); }
    return;
  }

  row.lowest = LOWEST_KEY;
  if (sampling.topK > 0u && sampling.topK < params.V) {
    row.lowest = max(LOWEST_KEY, threshold(row, sampling, thread, false));
  }

  var sum = 0.0;
  for (var v = thread; v < params.V; v += THREADS) { sum += weightOf(row, sampling, keyAt(sampling, row.start + v)); }
  words[thread] = bitcast<u32>(sum);
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      words[thread] = bitcast<u32>(bitcast<f32>(words[thread]) + bitcast<f32>(words[thread + half]));
    }
  }
  row.scale = 2147483648.0 / bitcast<f32>(workgroupUniformLoad(&words[0]));

  if (sampling.topP < 1.0) { row.lowest = max(row.lowest, threshold(row, sampling, thread, true)); }

  // The draw: shares of a contiguous stripe each, then a scan over the stripes.
  let stripe = (params.V + THREADS - 1u) / THREADS;
  let first = min(thread * stripe, params.V);
  let end = min(first + stripe, params.V);
  var own = 0u;
  for (var v = first; v < end; v++) { own += keptShare(row, sampling, v); }
  words[thread] = own;
  for (var step = 1u; step < THREADS; step *= 2u) {
    workgroupBarrier();
    var left = 0u;
    if (thread >= step) { left = words[thread - step]; }
    workgroupBarrier();
    words[thread] += left;
  }
  let total = workgroupUniformLoad(&words[THREADS - 1u]);
  // Every invocation draws the same word: only afterwards the winner advances the counter.
  let goal = multiplyHigh(randomWord(rowIndex, sampling), total);
  let before = words[thread] - own;
  workgroupBarrier();
  if (goal < before || goal >= before + own) { return; }
  var left = goal - before;
  for (var v = first; v < end; v++) {
    let share = keptShare(row, sampling, v);
    if (left < share) {
      choose(rowIndex, v);
      return;
    }
    left -= share;
  }
}

// The share of a token that min-p keeps; the other filters are in row.lowest.
fn keptShare(row: Row, sampling: Sampling, v: u32) -> u32 {
  let weight = weightOf(row, sampling, keyAt(sampling, row.start + v));
  return select(u32(weight * row.scale + 0.5), 0u, weight < sampling.minP);
}
