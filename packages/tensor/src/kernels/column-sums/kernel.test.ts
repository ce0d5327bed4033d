import { Arena, type Device } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { afterEach, expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { columnSums } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('columnSums', (device: Device) => {
  const arena = new Arena(device);
  const scope = new Scope(arena);
  afterEach(() => scope.dispose());

  it.each([
    { rows: 3, accumulate: false },
    { rows: 700, accumulate: true },
    { rows: 1025, accumulate: false },
  ])('adds up $rows rows of a view, added: $accumulate', async ({ rows, accumulate }) => {
    const random = new Random(rows);
    const data = random.normals(rows * 8);
    const start = Float32Array.of(1, -2, 3);
    const wide = scope.tensor([rows, 8]);
    const target = scope.tensor([3]);
    device.upload(wide.buffer, data);
    device.upload(target.buffer, start);
    columnSums(scope, wide.columns(4, 3), { tensor: target, accumulate });
    const sums = await device.read(target.buffer);
    for (let d = 0; d < 3; d++) {
      let expected = accumulate ? start[d]! : 0;
      for (let row = 0; row < rows; row++) expected += data[row * 8 + 4 + d]!;
      expect(Math.abs(sums[d]! - expected)).toBeLessThan(2e-5);
    }
  });

  it('of no rows are zero', async () => {
    const target = scope.tensor([2]);
    device.upload(target.buffer, Float32Array.of(5, 6));
    columnSums(scope, scope.tensor([0, 2]), { tensor: target, accumulate: true });
    expect([...(await device.read(target.buffer))]).toEqual([5, 6]);
    columnSums(scope, scope.tensor([0, 2]), { tensor: target, accumulate: false });
    expect([...(await device.read(target.buffer))]).toEqual([0, 0]);
  });

  it('keep NaN in its column, and refuse what does not fit', async () => {
    const x = scope.tensor([2, 2]);
    device.upload(x.buffer, Float32Array.of(1, Number.NaN, 2, 3));
    const target = scope.tensor([2]);
    columnSums(scope, x, { tensor: target, accumulate: false });
    expect([...(await device.read(target.buffer))]).toEqual([3, Number.NaN]);
    expect(() => columnSums(scope, x, { tensor: scope.tensor([3]), accumulate: false })).toThrow(
      /columnSums: target must be \[2\], got \[3\]/,
    );
    const ids = scope.tensor([2], 'i32');
    expect(() => columnSums(scope, x, { tensor: ids, accumulate: false })).toThrow(/target must be fp32, got i32/);
    const row = scope.tensor([2]);
    expect(() => columnSums(scope, row, { tensor: row, accumulate: false })).toThrow(/a buffer of its own/);
  });
});
