import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { permutation } from './permutation.ts';
import { Random } from './random.ts';

describe('permutation', () => {
  test('has each value once, whatever the size and key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.maxSafeNat(), fc.nat(), (n, seed, epoch) => {
        const at = permutation(n, [seed, epoch]);
        const seen = new Set(Array.from({ length: n }, (_, place) => at(place)));
        return seen.size === n && Math.min(...seen) === 0 && Math.max(...seen) === n - 1;
      }),
      { numRuns: 60 },
    );
  });

  test('stays in range for very many elements', () => {
    const n = 2 ** 45 + 12345;
    const at = permutation(n, [7, 3]);
    const values = Array.from({ length: 1000 }, (_, i) => at(n - 1 - i * 1000));
    expect(new Set(values).size).toBe(1000);
    for (const value of values) expect(Number.isSafeInteger(value) && value >= 0 && value < n).toBe(true);
    // Spread over the whole range, not near its places.
    expect(values.filter((value) => value < n / 2).length / 1000).toBeCloseTo(0.5, 1);
  });

  test('is another one for another key, high words of the seed included', () => {
    const order = (key: number[]): number[] => Array.from({ length: 50 }, (_, i) => permutation(50, key)(i));
    const keys = [
      [0, 0],
      [0, 1],
      [1, 0],
      [2 ** 40, 0],
    ];
    expect(new Set(keys.map((key) => order(key).join())).size).toBe(keys.length);
    expect(order([5, 6])).toEqual(order([5, 6]));
  });

  test('looks random: where an element goes is uniform over keys', () => {
    const counts = new Array<number>(10).fill(0);
    for (let seed = 0; seed < 5000; seed++) counts[permutation(10, [seed, 0])(3)]!++;
    // Five standard deviations of a binomial count.
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(5 * Math.sqrt(5000 * 0.1 * 0.9));
  });
});

describe('Random', () => {
  test('below is uniform', () => {
    const random = new Random(1, 2);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70000; i++) counts[random.below(7)]!++;
    for (const count of counts) expect(Math.abs(count - 10000)).toBeLessThan(5 * Math.sqrt(10000));
  });

  test('uniform has mean 1/2 and variance 1/12', () => {
    const random = new Random(9);
    const draws = Array.from({ length: 50000 }, () => random.uniform());
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    expect(mean).toBeCloseTo(0.5, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
    expect(draws.every((x) => x >= 0 && x < 1)).toBe(true);
  });

  test('neighbouring keys give unrelated streams', () => {
    const first = Array.from({ length: 1000 }, (_, key) => new Random(5, key).word());
    expect(new Set(first).size).toBe(1000);
    expect(new Random(1, 2).word()).not.toBe(new Random(2, 1).word());
  });
});
