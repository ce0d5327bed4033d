import { createCpuDevice } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { Tensor } from './tensor.ts';
import { WeightMatrix } from './weight-matrix.ts';

describe('WeightMatrix', () => {
  const device = createCpuDevice();
  const part = (firstRow: number, rows: number, words: number, scales?: number) => ({
    firstRow,
    rows,
    data: device.alloc('u32', words),
    scales: scales === undefined ? undefined : device.alloc('fp16', scales),
  });

  it('takes quantised rows in parts and counts their bytes', () => {
    const matrix = new WeightMatrix('q4', [5, 64], [part(0, 3, 24, 6), part(3, 2, 16, 4)], 32);
    expect(matrix.byteLength).toBe(4 * 40 + 2 * 10);
    expect(matrix.tensor).toBeUndefined();
    const before = device.liveBuffers().count;
    matrix.dispose();
    expect(before - device.liveBuffers().count).toBe(4);
  });

  it('is a tensor where it is float and whole', () => {
    const tensor = new Tensor(device.alloc('bf16', 6), [2, 3]);
    expect(WeightMatrix.of(tensor).tensor?.buffer).toBe(tensor.buffer);
  });

  it('refuses gaps, missing rows, lengths and scales that do not fit', () => {
    expect(() => new WeightMatrix('q4', [5, 64], [part(1, 5, 40, 10)], 32)).toThrow('expected rows from 0');
    expect(() => new WeightMatrix('q4', [5, 64], [part(0, 4, 32, 8)], 32)).toThrow('5 rows in all, got 4');
    expect(() => new WeightMatrix('q4', [5, 64], [part(0, 5, 40)], 32)).toThrow('10 scales');
    expect(() => new WeightMatrix('q8', [5, 64], [part(0, 5, 40, 10)], 32)).toThrow('80 elements');
  });
});
