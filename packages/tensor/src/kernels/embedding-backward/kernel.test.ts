import { Arena } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { describe, expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { embeddingReference } from '../embedding/reference.ts';
import { embeddingBackward } from './index.ts';
import { embeddingBackwardReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('embeddingBackward', (device) => {
  it('leaves ids outside the table out, and keeps NaN where it belongs', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const ids = scope.tensor([2, 3], 'i32');
    const dy = scope.tensor([2, 3, 2]);
    const dweight = scope.tensor([3, 2]);
    device.upload(ids.buffer, Int32Array.of(-1, 2, 3, 2147483647, 2, 0));
    device.upload(dy.buffer, Float32Array.of(1, 2, 3, Number.NaN, 5, 6, 7, 8, 9, 10, 11, 12));
    embeddingBackward(scope, { ids, dy }, { dweight: { tensor: dweight, accumulate: false } });
    expect([...(await device.read(dweight.buffer))]).toEqual([11, 12, 0, 0, 12, Number.NaN]);
  });

  it('of no tokens is zero, or nothing', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const dweight = scope.tensor([1, 2]);
    device.upload(dweight.buffer, Float32Array.of(5, 6));
    const inputs = { ids: scope.tensor([0], 'i32'), dy: scope.tensor([0, 2]) };
    embeddingBackward(scope, inputs, { dweight: { tensor: dweight, accumulate: true } });
    expect([...(await device.read(dweight.buffer))]).toEqual([5, 6]);
    embeddingBackward(scope, inputs, { dweight: { tensor: dweight, accumulate: false } });
    expect([...(await device.read(dweight.buffer))]).toEqual([0, 0]);
  });

  it('refuses what does not fit', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const ids = scope.tensor([4], 'i32');
    const dy = scope.tensor([4, 2]);
    const target = (shape: number[]) => ({ dweight: { tensor: scope.tensor(shape), accumulate: false } });
    expect(() => embeddingBackward(scope, { ids, dy }, target([6]))).toThrow(/dweight must be \[V, D\], got \[6\]/);
    expect(() => embeddingBackward(scope, { ids, dy }, target([2, 3]))).toThrow(/dy must be \[4,3\], got \[4,2\]/);
    expect(() => embeddingBackward(scope, { ids: scope.tensor([4]), dy }, target([3, 2]))).toThrow(/ids must be i32/);
    const shared = { dweight: { tensor: dy, accumulate: false } };
    expect(() => embeddingBackward(scope, { ids, dy }, shared)).toThrow(/dweight must have a buffer of its own/);
  });
});

describe("the reference's gradient", () => {
  it('is the central difference of the table', () => {
    const random = new Random(8);
    for (let trial = 0; trial < 20; trial++) {
      const [T, V, D] = [random.integer(20), 1 + random.integer(6), 1 + random.integer(4)];
      const ids = Int32Array.from({ length: T }, () => random.integer(V));
      const dy = random.normals(T * D);
      const weight = new Float32Array(V * D);
      const loss = () => {
        const y = new Float32Array(T * D);
        const table = { dtype: 'fp32' as const, data: weight };
        const whole = { rows: T, V, D, firstRow: 0, total: V, bits: 0, group: 0 };
        embeddingReference({ ids, weight: table, y, scales: undefined }, whole);
        return y.reduce((sum, value, at) => sum + value * dy[at]!, 0);
      };
      // The embedding is linear in the table: the difference is exact but for rounding.
      const expected = Float64Array.from(weight, (_, at) => {
        weight[at] = 0.5;
        const above = loss();
        weight[at] = -0.5;
        const below = loss();
        weight[at] = 0;
        return above - below;
      });
      const dweight = new Float64Array(V * D);
      const views = { ids, dy, dweight: dweight as unknown as Float32Array };
      embeddingBackwardReference(views, { T, V, D, accumulate: 0 });
      for (let at = 0; at < V * D; at++) expect(Math.abs(dweight[at]! - expected[at]!)).toBeLessThan(1e-12);
    }
  });
});
