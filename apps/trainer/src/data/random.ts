/**
 * Random numbers that are a function of a seed and a counter, not of what was drawn before: a position in the data is
 * then a few integers, and going back to it is exact.
 */

/** A well-mixed word of several words (the block and finalisation steps of MurmurHash3). */
export function hash32(words: readonly number[]): number {
  let hash = 0x9747b28c;
  for (const word of words) {
    let block = Math.imul(word, 0xcc9e2d51);
    block = (block << 15) | (block >>> 17);
    hash ^= Math.imul(block, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= words.length * 4;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Safe integers as pairs of words, so that no bit of a large seed or counter is lost. */
export function wordsOf(...integers: number[]): number[] {
  return integers.flatMap((integer) => [integer >>> 0, Math.floor(integer / 2 ** 32) >>> 0]);
}

/** A stream of random numbers of its own for each list of integers (sfc32 of PractRand, seeded by `hash32`). */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(...key: number[]) {
    const words = wordsOf(...key);
    this.#a = hash32([1, ...words]);
    this.#b = hash32([2, ...words]);
    this.#c = hash32([3, ...words]);
    for (let round = 0; round < 12; round++) this.word();
  }

  /** A uniform 32-bit word. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in `[0, 1)` with 53 bits. */
  uniform(): number {
    return ((this.word() >>> 5) * 2 ** 26 + (this.word() >>> 6)) / 2 ** 53;
  }

  /** A uniform integer in `0 … n-1`, without the bias of a remainder. */
  below(n: number): number {
    if (n > 2 ** 32) return Math.floor(this.uniform() * n);
    const limit = 2 ** 32 - (2 ** 32 % n);
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % n;
  }
}
