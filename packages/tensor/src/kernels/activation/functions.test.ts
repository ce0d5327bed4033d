import { describe, expect, it } from 'vitest';
import { activationFunction, normalShare } from './functions.ts';

describe('the normal distribution', () => {
  // From mpmath with 40 digits.
  it.each([
    [-20.0, 2.7536241186062337e-89],
    [-8.0, 6.220960574271784e-16],
    [-3.0, 0.0013498980316300946],
    [-1.25, 0.10564977366685525],
    [-0.5, 0.3085375387259869],
    [-0.001, 0.49960105778608893],
    [0.75, 0.7733726476231318],
    [1.0, 0.8413447460685429],
    [2.5, 0.9937903346742238],
    [6.0, 0.9999999990134123],
  ])('has %d below it a share of %d', (x, share) => {
    expect(Math.abs(normalShare(x) / share - 1)).toBeLessThan(2e-15);
  });

  it('is 0, 1/2 and 1 at its ends and middle, and keeps NaN', () => {
    expect([normalShare(-Infinity), normalShare(0), normalShare(Infinity)]).toEqual([0, 0.5, 1]);
    expect(normalShare(Number.NaN)).toBeNaN();
  });
});

describe('activation functions', () => {
  it.each([
    ['silu', 0],
    ['gelu', 1],
  ])('%s has the slope of its value', (_, code) => {
    const { value, slope } = activationFunction(code);
    for (let x = -9; x < 9; x += 0.173) {
      expect(slope(x)).toBeCloseTo((value(x + 1e-5) - value(x - 1e-5)) / 2e-5, 8);
    }
    expect([value(-1e30), slope(-1e30), slope(1e30), value(1e30)].map(Math.abs)).toEqual([0, 0, 1, 1e30]);
  });
});
