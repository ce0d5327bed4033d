import { hash32, wordsOf } from './random.ts';

const ROUNDS = 6;

/**
 * A random-looking order of `0 … n-1` that needs no memory: the value at place `i` is computed from `i`.
 *
 * A Feistel network permutes the next power of four; values outside of `0 … n-1` are sent through again until they fall
 * inside, which keeps it a permutation (cycle walking; Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
 *
 * @param n number of elements, 1 … 2^52
 * @param key integers that choose the permutation, such as seed and epoch
 * @example
 * const at = permutation(5, [1, 0]);
 * [0, 1, 2, 3, 4].map(at); // each of 0 … 4 once
 */
export function permutation(n: number, key: readonly number[]): (place: number) => number {
  let halfBits = 1;
  while (4 ** halfBits < n) halfBits++;
  const half = 2 ** halfBits;
  const keys = Array.from({ length: ROUNDS }, (_, round) => hash32([round, ...wordsOf(...key)]));

  const once = (value: number): number => {
    let left = Math.floor(value / half);
    let right = value % half;
    for (const roundKey of keys) [left, right] = [right, (left ^ (hash32([roundKey, right]) % half)) >>> 0];
    return left * half + right;
  };
  return (place) => {
    let value = once(place);
    while (value >= n) value = once(value);
    return value;
  };
}
