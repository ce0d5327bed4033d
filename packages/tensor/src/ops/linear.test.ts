import { Arena, type Device, DtypeError, type FloatDtype, OptionError, ShapeError } from '@xlstm/device';
import { encodeFromFloat32 } from '@xlstm/device/dtypes';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { afterAll, describe, expect, it } from 'vitest';
import { Scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { linear } from './linear.ts';

/** x · weightᵀ (+ bias) in float64, with weights that every 16-bit float holds exactly. */
function expectedProduct(x: Float32Array, weight: Float32Array, N: number, K: number, bias?: Float32Array): number[] {
  return Array.from({ length: (x.length / K) * N }, (_, at) => {
    const [m, n] = [Math.floor(at / N), at % N];
    let sum = bias ? bias[n]! : 0;
    for (let k = 0; k < K; k++) sum += x[m * K + k]! * weight[n * K + k]!;
    return sum;
  });
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...expected.map((value, at) => Math.abs(actual[at]! - value)));
  // Up to 24 terms of about 4 in float32; NaN fails.
  expect(worst).toBeLessThan(2e-5);
}

await describeDevices('linear', (device: Device) => {
  const arena = new Arena(device);
  const scope = new Scope(arena);
  afterAll(() => {
    scope.dispose();
    arena.dispose();
  });
  const random = new Random(11);
  const tensor = (shape: number[], data: Float32Array, dtype: FloatDtype = 'fp32') => {
    const made = scope.tensor(shape, dtype);
    device.upload(made.buffer, encodeFromFloat32(data, dtype));
    return made;
  };
  /** Multiples of 1/8 up to 4: exact in every dtype. */
  const eighths = (length: number) => Float32Array.from({ length }, () => random.integer(65) / 8 - 4);

  describe.each(['fp32', 'fp16', 'bf16'] as const)('%s weights', (dtype) => {
    it.each([
      { rows: [1], K: 24, N: 5, biased: true },
      { rows: [2, 3], K: 24, N: 7, biased: false },
      { rows: [8], K: 23, N: 9, biased: true },
      { rows: [3, 3], K: 24, N: 10, biased: false },
      { rows: [65], K: 7, N: 3, biased: dtype === 'bf16' },
    ])('multiplies x [$rows, $K] into N = $N, with bias: $biased', async ({ rows, K, N, biased }) => {
      const count = rows.reduce((product, size) => product * size, 1);
      const xs = random.normals(count * K);
      const ws = eighths(N * K);
      const bs = biased ? random.normals(N) : undefined;
      const y = linear(scope, tensor([...rows, K], xs), tensor([N, K], ws, dtype), bs ? { bias: tensor([N], bs) } : {});
      expect(y.shape).toEqual([...rows, N]);
      expectClose(await device.read(y.buffer), expectedProduct(xs, ws, N, K, bs));
    });

    it.each([2, 12])('adds %i rows into a residual in place', async (M) => {
      const [K, N] = [16, 6];
      const xs = random.normals(M * K);
      const ws = eighths(N * K);
      const start = random.normals(M * N);
      const residual = tensor([M, N], start);
      const result = linear(scope, tensor([M, K], xs), tensor([N, K], ws, dtype), { addTo: residual });
      expect(result).toBe(residual);
      const product = expectedProduct(xs, ws, N, K);
      expectClose(
        await device.read(residual.buffer),
        product.map((value, at) => value + start[at]!),
      );
    });
  });

  it.each([3, 20])('keeps NaN and infinity of one of %i rows, and in that row only', async (M) => {
    const [K, N] = [16, 5];
    const xs = random.normals(M * K);
    xs[K + 3] = Number.NaN;
    xs[2 * K + 1] = Number.POSITIVE_INFINITY;
    const weight = tensor([N, K], new Float32Array(N * K).fill(0.5), 'bf16');
    const y = await device.read(linear(scope, tensor([M, K], xs), weight).buffer);
    for (let m = 0; m < M; m++) {
      const row = [...y.slice(m * N, (m + 1) * N)];
      if (m === 1) expect(row.every(Number.isNaN)).toBe(true);
      else if (m === 2) expect(row.every((value) => value === Number.POSITIVE_INFINITY)).toBe(true);
      else expect(row.every(Number.isFinite)).toBe(true);
    }
  });

  it('takes no rows', () => {
    expect(linear(scope, scope.tensor([0, 8]), scope.tensor([4, 8], 'bf16')).shape).toEqual([0, 4]);
  });

  it('refuses what does not fit, and leaves addTo as it was', async () => {
    const x = tensor([2, 8], random.normals(16));
    const weight = tensor([4, 8], random.normals(32), 'bf16');
    const start = random.normals(8);
    const addTo = tensor([2, 4], start);
    expect(() => linear(scope, x, tensor([4, 7], random.normals(28)))).toThrow(ShapeError);
    expect(() => linear(scope, x, tensor([8], random.normals(8)))).toThrow(ShapeError);
    expect(() => linear(scope, scope.tensor([2, 0]), scope.tensor([4, 0]))).toThrow(ShapeError);
    expect(() => linear(scope, x, weight, { bias: scope.tensor([5]), addTo })).toThrow(ShapeError);
    expect(() => linear(scope, x, weight, { addTo: scope.tensor([4, 2]) })).toThrow(ShapeError);
    expect(() => linear(scope, x.columns(0, 4), scope.tensor([4, 4]))).toThrow(ShapeError);
    expect(() => linear(scope, scope.tensor([2, 8], 'bf16'), weight)).toThrow(DtypeError);
    expect(() => linear(scope, x, scope.tensor([4, 8], 'i32'))).toThrow(DtypeError);
    expect(() => linear(scope, x, weight, { bias: scope.tensor([4], 'bf16'), addTo })).toThrow(DtypeError);
    expect(() => linear(scope, x, scope.tensor([8, 8]), { addTo: x })).toThrow(OptionError);
    const shared = scope.tensor([4, 8]);
    expect(() =>
      linear(scope, new Tensor(shared.buffer, [2, 8]), weight, { addTo: new Tensor(shared.buffer, [2, 4]) }),
    ).toThrow(OptionError);
    expect(await device.read(addTo.buffer)).toEqual(start);
  });
});
