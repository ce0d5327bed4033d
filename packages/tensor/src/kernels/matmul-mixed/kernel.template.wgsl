// y [splits, M, N] (+)= A [M, K] * B [K, N] (+ bias [N]), operands in float16, float32 sums, on subgroup matrices.
// Before this text: a line of tile constants (tiles.ts), and what B's elements are (weights.*.wgsl).
//
// A workgroup makes TILE_M x TILE_N of y, SUBGROUPS_M x SUBGROUPS_N subgroups 16 x 16 squares of it; SUBGROUPS_K of them
// share a place and take K in turns. K goes by in steps of TILE_K through workgroup memory. A tile lies there as its
// operand does in memory, eight elements a vector, with one vector more a row against bank conflicts. While one workgroup
// waits for its loads, others multiply: holding the next step's loads in registers was a fifth slower.
// Loops up to A_VECTORS, B_VECTORS, SQUARES_M, SQUARES_N and DEPTHS are written out before this is compiled
// (expand-loops.ts): an index of `sums` that is not a constant anywhere puts all of them into memory.

struct Params {
  M: u32, N: u32, K: u32, kPerSplit: u32,
  aAlongK: u32, aStride: u32, bAlongK: u32, bOffset: u32, bStride: u32, biasOffset: u32,
  yOffset: u32, yStride: u32, accumulate: u32, group: u32, bits: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4<u32>>;          // [M, K], or [K, M], rows at aStride
// Binding 1 is b, 2 scales.
@group(0) @binding(3) var<storage, read> a_max: array<u32>;            // bits of max |a| before it was scaled
@group(0) @binding(4) var<storage, read> b_max: array<u32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;             // [N] from biasOffset
@group(0) @binding(6) var<storage, read_write> y: array<f32>;          // rows at yStride from yOffset
@group(0) @binding(7) var<uniform> params: Params;

override A_ALONG_K: u32 = 1;    // params.aAlongK, as a constant
override B_ALONG_K: u32 = 1;
override HAS_A_MAX: u32 = 0;
override HAS_B_MAX: u32 = 0;
override HAS_BIAS: u32 = 0;

const SUBGROUPS = SUBGROUPS_M * SUBGROUPS_N * SUBGROUPS_K;
const THREADS = 32u * SUBGROUPS;
// Squares of a subgroup, and its steps of 16 in a tile.
const SQUARES_M = TILE_M / SUBGROUPS_M / 16u;
const SQUARES_N = TILE_N / SUBGROUPS_N / 16u;
const DEPTHS = TILE_K / SUBGROUPS_K / 16u;
// Vectors of a tile; those that an invocation loads.
const A_VECTORS = TILE_M * TILE_K / 8u / THREADS;
const B_VECTORS = TILE_N * TILE_K / 8u / THREADS;
const A_TILE = max(TILE_M * TILE_K / 8u + max(TILE_M, TILE_K), SUBGROUPS * 64u); // and room for a square of each subgroup
const B_TILE = TILE_N * TILE_K / 8u + max(TILE_N, TILE_K);
// Vectors from one row of a tile to the next.
const STRIDE_K = TILE_K / 8u + 1u;
const STRIDE_M = TILE_M / 8u + 1u;
const STRIDE_N = TILE_N / 8u + 1u;
// Tiles of y that follow each other along M, so that what runs at once shares both operands.
const BAND = 16u;

var<workgroup> a_tile: array<vec4<u32>, A_TILE>;
var<workgroup> b_tile: array<vec4<u32>, B_TILE>;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;

fn load_left(m: u32, depth: u32) -> Left {
  if (A_ALONG_K != 0u) {
    return subgroupMatrixLoad<Left, row_major>(&a_tile, m * STRIDE_K + depth / 8u, STRIDE_K);
  }
  return subgroupMatrixLoad<Left, col_major>(&a_tile, depth * STRIDE_M + m / 8u, STRIDE_M);
}

fn load_right(n: u32, depth: u32) -> Right {
  if (B_ALONG_K != 0u) {
    return subgroupMatrixLoad<Right, col_major>(&b_tile, n * STRIDE_K + depth / 8u, STRIDE_K);
  }
  return subgroupMatrixLoad<Right, row_major>(&b_tile, depth * STRIDE_N + n / 8u, STRIDE_N);
}

// A tensor whose largest magnitude has these bits was multiplied by the power of two that brings it to 2^14 … 2^15.
fn descale(max_bits: u32) -> f32 {
  let exponent = clamp(268u - (max_bits >> 23u), 1u, 253u);
  return bitcast<f32>((254u - exponent) << 23u);
}

@compute @workgroup_size(THREADS)
fn matmul_mixed(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) thread: u32, @builtin(subgroup_id) subgroup: u32) {
  let m_tiles = (params.M + TILE_M - 1u) / TILE_M;
  let n_tiles = (params.N + TILE_N - 1u) / TILE_N;
  let work = group.x + group.y * groups.x;
  if (work >= m_tiles * n_tiles) { return; }
  let band = work / (BAND * n_tiles);
  let in_band = work % (BAND * n_tiles);
  let band_rows = min(BAND, m_tiles - band * BAND);
  let m_tile = (band * BAND + in_band % band_rows) * TILE_M;
  let n_tile = (in_band / band_rows) * TILE_N;
  let begin = group.z * params.kPerSplit;
  let end = min(begin + params.kPerSplit, params.K);

  // Where this subgroup's squares begin in the tile, and its share of each step.
  let region = subgroup / SUBGROUPS_K;
  let m_square = (region / SUBGROUPS_N) * SQUARES_M * 16u;
  let n_square = (region % SUBGROUPS_N) * SQUARES_N * 16u;
  let depth_start = (subgroup % SUBGROUPS_K) * DEPTHS * 16u;

  let y_start = params.yOffset + group.z * params.M * params.yStride;
  // Squares go straight to y when all of them are inside, and lie as such a store wants them.
  let whole = SUBGROUPS_K == 1u && HAS_BIAS == 0u && m_tile + TILE_M <= params.M && n_tile + TILE_N <= params.N
    && (y_start | params.yStride) % 4u == 0u;
  var scale_a = 1.0;
  var scale_b = 1.0;
  if (HAS_A_MAX != 0u) { scale_a = descale(a_max[0]); }
  if (HAS_B_MAX != 0u) { scale_b = descale(b_max[0]); }

  var sums: array<array<Sums, SQUARES_N>, SQUARES_M>;
  if (whole && params.accumulate != 0u) {
    for (var i = 0u; i < SQUARES_M; i++) {
      for (var j = 0u; j < SQUARES_N; j++) {
        let place = y_start + (m_tile + m_square + i * 16u) * params.yStride + n_tile + n_square + j * 16u;
        sums[i][j] = subgroupMatrixLoad<Sums, row_major>(&y, place, params.yStride);
        if (HAS_A_MAX != 0u) { sums[i][j] = subgroupMatrixScalarMultiply(sums[i][j], 1.0 / scale_a); }
        if (HAS_B_MAX != 0u) { sums[i][j] = subgroupMatrixScalarMultiply(sums[i][j], 1.0 / scale_b); }
      }
    }
  }

  for (var k = begin; k < end; k += TILE_K) {
    workgroupBarrier(); // the step before has been multiplied
    // Rows past the end repeat the last one, whose sums nobody stores; columns past it and K past its end are zeros.
    for (var i = 0u; i < A_VECTORS; i++) {
      let vector = thread + i * THREADS;
      if (A_ALONG_K != 0u) {
        let row = vector / (TILE_K / 8u);
        let column = vector % (TILE_K / 8u);
        var words = vec4<u32>();
        if (k + column * 8u < end) {
          words = a[min(m_tile + row, params.M - 1u) * (params.aStride / 8u) + k / 8u + column];
        }
        a_tile[row * STRIDE_K + column] = words;
      } else {
        let row = vector / (TILE_M / 8u);
        let column = vector % (TILE_M / 8u);
        var words = vec4<u32>();
        if (k + row < end && m_tile + column * 8u < params.M) {
          words = a[(k + row) * (params.aStride / 8u) + m_tile / 8u + column];
        }
        a_tile[row * STRIDE_M + column] = words;
      }
    }
    for (var i = 0u; i < B_VECTORS; i++) {
      let vector = thread + i * THREADS;
      if (B_ALONG_K != 0u) {
        let row = vector / (TILE_K / 8u);
        let column = vector % (TILE_K / 8u);
        var packed = Packed();
        if (k + column * 8u < end) {
          packed = fetch((params.bOffset + min(n_tile + row, params.N - 1u) * params.bStride + k) / 8u + column);
        }
        b_tile[row * STRIDE_K + column] = halves(packed);
      } else {
        let row = vector / (TILE_N / 8u);
        let column = vector % (TILE_N / 8u);
        var packed = Packed();
        if (k + row < end && n_tile + column * 8u < params.N) {
          packed = fetch((params.bOffset + (k + row) * params.bStride + n_tile) / 8u + column);
        }
        b_tile[row * STRIDE_N + column] = halves(packed);
      }
    }
    workgroupBarrier();
    for (var step = 0u; step < DEPTHS; step++) {
      let depth = depth_start + step * 16u;
      var lefts: array<Left, SQUARES_M>;
      for (var i = 0u; i < SQUARES_M; i++) { lefts[i] = load_left(m_square + i * 16u, depth); }
      for (var j = 0u; j < SQUARES_N; j++) {
        let right = load_right(n_square + j * 16u, depth);
        for (var i = 0u; i < SQUARES_M; i++) {
          sums[i][j] = subgroupMatrixMultiplyAccumulate(lefts[i], right, sums[i][j]);
        }
      }
    }
  }

  if (HAS_A_MAX != 0u || HAS_B_MAX != 0u) {
    for (var i = 0u; i < SQUARES_M; i++) {
      for (var j = 0u; j < SQUARES_N; j++) {
        sums[i][j] = subgroupMatrixScalarMultiply(sums[i][j], scale_a);
        sums[i][j] = subgroupMatrixScalarMultiply(sums[i][j], scale_b);
      }
    }
  }
  if (whole) {
    for (var i = 0u; i < SQUARES_M; i++) {
      for (var j = 0u; j < SQUARES_N; j++) {
        let place = y_start + (m_tile + m_square + i * 16u) * params.yStride + n_tile + n_square + j * 16u;
        subgroupMatrixStore<row_major>(&y, place, sums[i][j], params.yStride);
      }
    }
    return;
  }
  // Else square by square through workgroup memory, where those of one place are added up.
  for (var i = 0u; i < SQUARES_M; i++) {
    for (var j = 0u; j < SQUARES_N; j++) {
      workgroupBarrier();
      subgroupMatrixStore<row_major>(&a_tile, subgroup * 64u, sums[i][j], 4u);
      workgroupBarrier();
      for (var element = thread; element < 256u * SUBGROUPS_M * SUBGROUPS_N; element += THREADS) {
        let place = element / 256u;
        let m = m_tile + ((place / SUBGROUPS_N) * SQUARES_M + i) * 16u + (element % 256u) / 16u;
        let n = n_tile + ((place % SUBGROUPS_N) * SQUARES_N + j) * 16u + element % 16u;
        var value = 0.0;
        for (var s = 0u; s < SUBGROUPS_K; s++) {
          let at = (place * SUBGROUPS_K + s) * 256u + element % 256u;
          value += bitcast<f32>(a_tile[at / 4u][at % 4u]);
        }
        if (m < params.M && n < params.N) {
          let at = y_start + m * params.yStride + n;
          if (HAS_BIAS != 0u) { value += bias[params.biasOffset + n]; }
          if (params.accumulate != 0u) { value += y[at]; }
          y[at] = value;
        }
      }
    }
  }
}
