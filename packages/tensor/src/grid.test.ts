import { describe, expect, it } from 'vitest';
import { spread, threadsForRow } from './grid.ts';

const limits = {
  maxInvocationsPerWorkgroup: 256,
  maxWorkgroupStorageBytes: 16384,
  maxWorkgroupsPerDimension: 65535,
  minSubgroupSize: 0,
  maxSubgroupSize: 0,
  subgroupMatrix: false,
  packedDot: false,
  software: false,
};

describe('spread', () => {
  it.each([0, 1, 65535, 65536, 65537, 131071, 3_000_000, 65535 * 65535])('covers %i workgroups', (count) => {
    const [x, y, z] = spread(count, limits);
    expect(z).toBe(1);
    expect(Math.max(x, y)).toBeLessThanOrEqual(65535);
    expect(x * y).toBeGreaterThanOrEqual(count);
    // No more than one row of workgroups in vain.
    expect(x * y - count).toBeLessThan(Math.max(1, y));
  });
});

describe('threadsForRow', () => {
  it.each([
    [1, 256, 32],
    [33, 256, 64],
    [50304, 256, 256],
    [50304, 1024, 1024],
    [50304, 768, 512],
    [600, 1024, 1024],
  ])('gives a row of %i, on an adapter with %i, %i', (length, most, threads) => {
    expect(threadsForRow(length, { ...limits, maxInvocationsPerWorkgroup: most })).toBe(threads);
  });
});
