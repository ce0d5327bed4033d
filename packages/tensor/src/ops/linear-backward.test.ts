import { Arena, type Device, DtypeError, type FloatDtype, OptionError, ShapeError } from '@xlstm/device';
import { encodeFromFloat32 } from '@xlstm/device/dtypes';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { afterAll, describe, expect, it } from 'vitest';
import { matmulReference } from '../kernels/matmul/reference.ts';
import { matmulBackwardReference } from '../kernels/matmul-backward/reference.ts';
import { Scope } from '../scope.ts';
import { type LinearBackwardTargets, linearBackward } from './linear-backward.ts';

/** Multiples of 1/8 up to 4: exact in every dtype. */
const eighths = (random: Random, length: number) => Float32Array.from({ length }, () => random.integer(65) / 8 - 4);

/** dx, dweight and dbias of x · weightᵀ + bias, term by term. */
function expectedGradients(x: Float32Array, weight: Float32Array, dy: Float32Array, N: number, K: number) {
  const M = x.length / K;
  const dx = new Float64Array(M * K);
  const dweight = new Float64Array(N * K);
  const dbias = new Float64Array(N);
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      const gradient = dy[m * N + n]!;
      dbias[n]! += gradient;
      for (let k = 0; k < K; k++) {
        dx[m * K + k]! += gradient * weight[n * K + k]!;
        dweight[n * K + k]! += gradient * x[m * K + k]!;
      }
    }
  }
  return { dx, dweight, dbias };
}

function expectClose(actual: ArrayLike<number>, expected: Float64Array, start?: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  const worst = Math.max(...expected.map((value, at) => Math.abs(actual[at]! - value - (start?.[at] ?? 0))));
  // Up to 600 terms in float32; NaN fails.
  expect(worst / scale).toBeLessThan(3e-6);
}

await describeDevices('linearBackward', (device: Device) => {
  const arena = new Arena(device);
  const scope = new Scope(arena);
  afterAll(() => {
    scope.dispose();
    arena.dispose();
  });
  const random = new Random(12);
  const tensor = (shape: number[], data: Float32Array, dtype: FloatDtype = 'fp32') => {
    const made = scope.tensor(shape, dtype);
    device.upload(made.buffer, encodeFromFloat32(data, dtype));
    return made;
  };

  it.each([
    { rows: [1], N: 5, K: 24, dtype: 'fp32', accumulate: false },
    { rows: [2, 3], N: 7, K: 36, dtype: 'bf16', accumulate: true },
    { rows: [600], N: 9, K: 8, dtype: 'fp32', accumulate: true },
    { rows: [4, 150], N: 3, K: 5, dtype: 'fp32', accumulate: false },
    { rows: [2], N: 530, K: 4, dtype: 'bf16', accumulate: true },
  ] as const)('of $rows rows, [$N, $K] $dtype, added: $accumulate', async ({ rows, N, K, dtype, accumulate }) => {
    const M = rows.reduce<number>((product, size) => product * size, 1);
    const xs = eighths(random, M * K);
    const ws = eighths(random, N * K);
    const dys = random.normals(M * N);
    // dy is columns 2 … N + 1 of a wider gradient.
    const wide = random.normals(M * (N + 5));
    for (let m = 0; m < M; m++) wide.set(dys.subarray(m * N, (m + 1) * N), m * (N + 5) + 2);
    const starts = [random.normals(M * K), random.normals(N * K), random.normals(N)] as const;
    const targets = {
      dx: { tensor: tensor([...rows, K], starts[0]), accumulate },
      dweight: { tensor: tensor([N, K], starts[1]), accumulate },
      dbias: { tensor: tensor([N], starts[2]), accumulate },
    };
    const inputs = {
      x: tensor([...rows, K], xs),
      weight: tensor([N, K], ws, dtype),
      dy: tensor([...rows, N + 5], wide).columns(2, N),
    };
    const expected = expectedGradients(xs, ws, dys, N, K);
    const before = arena.size;
    linearBackward(scope, inputs, targets);
    const { dx, dweight, dbias } = targets;
    const first = await Promise.all([dx, dweight, dbias].map(({ tensor: { buffer } }) => device.read(buffer)));
    expectClose(first[0]!, expected.dx, accumulate ? starts[0] : undefined);
    expectClose(first[1]!, expected.dweight, accumulate ? starts[1] : undefined);
    expectClose(first[2]!, expected.dbias, accumulate ? starts[2] : undefined);
    // Once more, recorded: the same bits, and temporaries that are there already.
    const held = arena.size;
    expect(held).toBeLessThanOrEqual(before + 3);
    for (const [index, { tensor: target }] of [dx, dweight, dbias].entries()) {
      device.upload(target.buffer, starts[index]!);
    }
    using program = device.record(() => linearBackward(scope, inputs, targets));
    program.run();
    expect(await device.read(dx.tensor.buffer)).toEqual(first[0]);
    expect(await device.read(dweight.tensor.buffer)).toEqual(first[1]);
    expect(await device.read(dbias.tensor.buffer)).toEqual(first[2]);
    expect(arena.size).toBe(held);
  });

  it('makes only what is asked for, from what that needs', async () => {
    const dy = tensor([3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
    const dbias = scope.tensor([2]);
    linearBackward(scope, { dy }, { dbias: { tensor: dbias, accumulate: false } });
    expect([...(await device.read(dbias.buffer))]).toEqual([9, 12]);
    const dweight = scope.tensor([2, 1]);
    const x = tensor([3, 1], Float32Array.of(1, 10, 100));
    linearBackward(scope, { x, dy }, { dweight: { tensor: dweight, accumulate: false } });
    expect([...(await device.read(dweight.buffer))]).toEqual([531, 642]);
    const dx = scope.tensor([3, 1]);
    const weight = tensor([2, 1], Float32Array.of(1, 10));
    linearBackward(scope, { weight, dy }, { dx: { tensor: dx, accumulate: false } });
    expect([...(await device.read(dx.buffer))]).toEqual([21, 43, 65]);
  });

  it('of no rows are zero', async () => {
    const dweight = tensor([2, 1], Float32Array.of(5, 6));
    const inputs = { x: scope.tensor([0, 1]), dy: scope.tensor([0, 2]) };
    linearBackward(scope, inputs, { dweight: { tensor: dweight, accumulate: true } });
    expect([...(await device.read(dweight.buffer))]).toEqual([5, 6]);
    linearBackward(scope, inputs, { dweight: { tensor: dweight, accumulate: false } });
    expect([...(await device.read(dweight.buffer))]).toEqual([0, 0]);
  });

  it('refuses what does not fit, and leaves the targets as they were', async () => {
    const x = tensor([2, 4], random.normals(8));
    const weight = tensor([3, 4], random.normals(12), 'bf16');
    const dy = tensor([2, 3], random.normals(6));
    const start = random.normals(8);
    const dx = tensor([2, 4], start);
    const target = (shape: number[], dtype: FloatDtype = 'fp32') => ({
      tensor: scope.tensor(shape, dtype),
      accumulate: false,
    });
    const refuse = (inputs: object, targets: LinearBackwardTargets, error: typeof ShapeError, text: RegExp) => {
      const both = { dx: { tensor: dx, accumulate: false }, ...targets };
      const call = () => linearBackward(scope, { x, weight, dy, ...inputs }, both);
      expect(call).toThrow(error);
      expect(call).toThrow(text);
    };
    refuse({ weight: tensor([4, 3], random.normals(12)) }, {}, ShapeError, /weight must be \[3, K\].*got \[4,3\]/);
    refuse({ x: scope.tensor([2, 5]) }, {}, ShapeError, /x must be \[2,4\], got \[2,5\]/);
    refuse({ x: scope.tensor([2, 8]).columns(0, 4) }, {}, ShapeError, /x must be contiguous/);
    refuse({ dy: scope.tensor([2, 3], 'bf16') }, {}, DtypeError, /dy must be fp32, got bf16/);
    refuse({ weight: scope.tensor([3, 4], 'i32') }, {}, DtypeError, /weight must be fp32, fp16 or bf16, got i32/);
    refuse({}, { dweight: target([4, 3]) }, ShapeError, /dweight must be \[3,4\], got \[4,3\]/);
    refuse({}, { dweight: target([3, 4], 'bf16') }, DtypeError, /dweight must be fp32, got bf16/);
    refuse({}, { dbias: target([2]) }, ShapeError, /dbias must be \[3\], got \[2\]/);
    refuse({ weight: undefined }, {}, OptionError, /dx needs weight/);
    refuse({ x: undefined }, { dweight: target([3, 4]) }, OptionError, /dweight needs x/);
    refuse({ x: dx }, {}, OptionError, /dx must have a buffer of its own, got that of x/);
    refuse({}, { dbias: { tensor: dy.reshape([6]), accumulate: false } }, ShapeError, /dbias must be \[3\]/);
    expect(await device.read(dx.buffer)).toEqual(start);
  });
});

describe("the reference's gradients of a product", () => {
  it('are its central differences', () => {
    const random = new Random(5);
    for (let trial = 0; trial < 20; trial++) {
      const [M, N, K] = [1 + random.integer(9), 1 + random.integer(9), 1 + random.integer(9)];
      const x = eighths(random, M * K);
      const weight = eighths(random, N * K);
      const dy = eighths(random, M * N);
      const loss = (): number => {
        const y = new Float64Array(M * N) as unknown as Float32Array;
        const buffers = { x, weight: { dtype: 'fp32' as const, data: weight }, bias: undefined, y, scales: undefined };
        matmulReference(buffers, { M, N, K, accumulate: 0, row: 0, column: 0, stride: N, bits: 0, group: 0 });
        return y.reduce((sum, value, at) => sum + value * dy[at]!, 0);
      };
      // The product is linear in either operand and all values are multiples of 1/8: differences are exact.
      const differences = (values: Float32Array) =>
        Float64Array.from(values, (value, at) => {
          values[at] = value + 0.5;
          const above = loss();
          values[at] = value - 0.5;
          const below = loss();
          values[at] = value;
          return above - below;
        });
      const dx = new Float64Array(M * K);
      const dweight = new Float64Array(N * K);
      const common = { C: K, aOffset: 0, aStride: N, bOffset: 0, yOffset: 0, accumulate: 0 };
      matmulBackwardReference(
        { a: dy, b: { dtype: 'fp32', data: weight }, y: dx as unknown as Float32Array },
        { ...common, R: M, inner: N, innerPerSplit: N, transposed: 0 },
      );
      matmulBackwardReference(
        { a: dy, b: { dtype: 'fp32', data: x }, y: dweight as unknown as Float32Array },
        { ...common, R: N, inner: M, innerPerSplit: M, transposed: 1 },
      );
      expect(dx).toEqual(differences(x));
      expect(dweight).toEqual(differences(weight));
    }
  });
});
