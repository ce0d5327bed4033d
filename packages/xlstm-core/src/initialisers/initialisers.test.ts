import { describe, expect, it } from 'vitest';
import { constant, linspace, normal, smallInit, uniform, wangInit } from './initialisers.ts';
import { slstmBias } from './slstm-bias.ts';

function statistics(values: Float32Array): { mean: number; std: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / values.length) };
}

const MANY = 40_000;

describe('random initialisers', () => {
  it.each([
    ['small', smallInit(64), Math.sqrt(2 / (5 * 64))],
    ['Wang', wangInit(64, 6), 2 / (6 * Math.sqrt(64))],
    ['normal', normal(0.1), 0.1],
    ['uniform', uniform(0.5), 0.5 / Math.sqrt(3)],
  ])('%s has its mean and deviation', (_, init, expected) => {
    const { mean, std } = statistics(init(MANY, 'weight', 7));
    expect(Math.abs(mean)).toBeLessThan((4 * expected) / Math.sqrt(MANY));
    expect(std / expected).toBeGreaterThan(0.985);
    expect(std / expected).toBeLessThan(1.015);
  });

  it('draws from a normal distribution', () => {
    const values = normal(2, 5)(MANY, 'weight', 1);
    const within = (deviations: number) => values.filter((value) => Math.abs(value - 5) < 2 * deviations).length / MANY;
    expect(within(1)).toBeCloseTo(0.6827, 2);
    expect(within(2)).toBeCloseTo(0.9545, 2);
    expect(values.filter((value) => value > 5).length / MANY).toBeCloseTo(0.5, 1);
  });

  it('stays within the bound of the uniform one', () => {
    expect(Math.max(...uniform(0.25)(MANY, 'w', 0).map(Math.abs))).toBeLessThanOrEqual(0.25);
  });

  it('depends on name and seed alone', () => {
    const init = smallInit(8);
    expect(init(100, 'a', 3)).toEqual(init(100, 'a', 3));
    expect(init(50, 'a', 3)).toEqual(init(100, 'a', 3).subarray(0, 50));
    expect(init(100, 'b', 3)).not.toEqual(init(100, 'a', 3));
    expect(init(100, 'a', 4)).not.toEqual(init(100, 'a', 3));
    expect(init(100, 'a', -1)).not.toEqual(init(100, 'a', 1));
  });
});

describe('fixed initialisers', () => {
  it('fill with a value, or evenly from one to another', () => {
    expect([...constant(3)(3, '', 0)]).toEqual([3, 3, 3]);
    expect([...linspace(3, 6)(4, '', 0)]).toEqual([3, 4, 5, 6]);
    expect([...linspace(3, 6)(1, '', 0)]).toEqual([3]);
  });
});

describe('slstmBias', () => {
  const place = { numHeads: 2, headDim: 5, blockIndex: 2, numBlocks: 4 };
  const LENGTH = 4 * 2 * 5;
  const gate = (bias: Float32Array, index: number) => [...bias.subarray(10 * index, 10 * (index + 1))];

  it('follows the power law of its block in the forget gate, and is 0 elsewhere', () => {
    const bias = slstmBias('powerlaw_blockdependent', place)(LENGTH, 'bias', 0);
    // −(−5 + 12 · (dim / 4)^(0.3 + 1.3 · 2/3))
    const expected = [0, 1, 2, 3, 4].map((dim) => -(-5 + 12 * (dim / 4) ** (0.3 + (1.3 * 2) / 3)));
    for (const [at, value] of gate(bias, 1).entries()) expect(value).toBeCloseTo(expected[at % 5]!, 5);
    expect(gate(bias, 1)[0]).toBe(5);
    expect(gate(bias, 1)[4]).toBe(-7);
    for (const other of [0, 2, 3]) expect(gate(bias, other)).toEqual(new Array(10).fill(0));
  });

  it('remembers longer in later blocks', () => {
    const middle = (blockIndex: number) =>
      slstmBias('powerlaw_blockdependent', { ...place, blockIndex })(LENGTH, 'bias', 0)[10 + 2]!;
    expect(middle(0)).toBeCloseTo(5 - 12 * 0.5 ** 0.3, 5);
    expect(middle(3)).toBeCloseTo(5 - 12 * 0.5 ** 1.6, 5);
    const alone = slstmBias('powerlaw_blockdependent', { ...place, blockIndex: 0, numBlocks: 1 })(LENGTH, 'bias', 0);
    expect(alone[10 + 2]).toBeCloseTo(5 - 12 * 0.5 ** 0.3, 5);
  });

  it('has the other initialisations of the reference', () => {
    expect(Math.max(...slstmBias('zeros', place)(LENGTH, 'bias', 0).map(Math.abs))).toBe(0);
    expect(gate(slstmBias('small_init', place)(LENGTH, 'bias', 0), 1)).toEqual([
      3, 3.75, 4.5, 5.25, 6, 3, 3.75, 4.5, 5.25, 6,
    ]);
    const standard = slstmBias('standard', place)(LENGTH, 'bias', 0);
    expect(Math.max(...standard.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(10));
    expect(new Set(standard).size).toBeGreaterThan(30);
  });
});
