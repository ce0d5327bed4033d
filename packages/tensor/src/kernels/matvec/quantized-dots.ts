import { decodeTable } from '@xlstm/device';

/** The sum of each group of `x [K]`. */
export function sumsOfGroups(x: Float32Array, K: number, group: number): Float64Array {
  const sums = new Float64Array(K / group);
  for (let k = 0; k < K; k++) sums[Math.floor(k / group)]! += x[k]!;
  return sums;
}

/** The dot products of x with four rows of signed bytes with a scale a group; rows begin at the elements `r0`…`r3`. */
export function dots8(
  x: Float32Array,
  codes: Int8Array,
  scales: Uint16Array,
  K: number,
  group: number,
  r0: number,
  r1: number,
  r2: number,
  r3: number,
  sums: Float64Array,
): void {
  const table = decodeTable('fp16');
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let start = 0; start < K; start += group) {
    let a0 = 0;
    let a1 = 0;
    let a2 = 0;
    let a3 = 0;
    for (let k = start; k < start + group; k++) {
      const value = x[k]!;
      a0 += value * codes[r0 + k]!;
      a1 += value * codes[r1 + k]!;
      a2 += value * codes[r2 + k]!;
      a3 += value * codes[r3 + k]!;
    }
    s0 += table[scales[(r0 + start) / group]!]! * a0;
    s1 += table[scales[(r1 + start) / group]!]! * a1;
    s2 += table[scales[(r2 + start) / group]!]! * a2;
    s3 += table[scales[(r3 + start) / group]!]! * a3;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

/**
 * As `dots8`, for nibbles, two to a byte, that stand for themselves minus 8: Σ x (c − 8) = Σ x c − 8 Σ x, and the last is
 * the same for all rows (`groupSums`).
 */
export function dots4(
  x: Float32Array,
  groupSums: Float64Array,
  codes: Uint8Array,
  scales: Uint16Array,
  K: number,
  group: number,
  r0: number,
  r1: number,
  r2: number,
  r3: number,
  sums: Float64Array,
): void {
  const table = decodeTable('fp16');
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let start = 0, g = 0; start < K; start += group, g++) {
    let a0 = 0;
    let a1 = 0;
    let a2 = 0;
    let a3 = 0;
    for (let k = start; k < start + group; k += 2) {
      const even = x[k]!;
      const odd = x[k + 1]!;
      const c0 = codes[(r0 + k) >> 1]!;
      const c1 = codes[(r1 + k) >> 1]!;
      const c2 = codes[(r2 + k) >> 1]!;
      const c3 = codes[(r3 + k) >> 1]!;
      a0 += even * (c0 & 15) + odd * (c0 >> 4);
      a1 += even * (c1 & 15) + odd * (c1 >> 4);
      a2 += even * (c2 & 15) + odd * (c2 >> 4);
      a3 += even * (c3 & 15) + odd * (c3 >> 4);
    }
    const eight = 8 * groupSums[g]!;
    s0 += table[scales[(r0 + start) / group]!]! * (a0 - eight);
    s1 += table[scales[(r1 + start) / group]!]! * (a1 - eight);
    s2 += table[scales[(r2 + start) / group]!]! * (a2 - eight);
    s3 += table[scales[(r3 + start) / group]!]! * (a3 - eight);
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}
