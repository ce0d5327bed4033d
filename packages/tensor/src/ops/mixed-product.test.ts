import { Arena, decodeToFloat32, type FloatDtype, OptionError } from '@xlstm/device';
import { compare, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Scope } from '../scope.ts';
import { Tape } from '../tape/tape.ts';
import { Tensor } from '../tensor.ts';
import { linear } from './linear.ts';
import { hasMixedProducts, type MixedProduct, mixedProduct } from './mixed-product.ts';

// fp16 keeps 11 bits: a sum of K products about 1/sqrt(K) has an error of 2^-12 or so.
const HALF = { relativeRms: 5e-4, atol: 3e-3, rtol: 1e-3 };

/** The CPU device runs the kernels' references; WebGPU the kernels, where it has subgroup matrices. */
await describeDevices('mixedProduct', (device, kind) => {
  let arena: Arena;
  let scope: Scope;
  beforeAll(() => {
    arena = new Arena(device);
    scope = new Scope(arena, { precision: 'mixed' });
  });
  afterAll(() => {
    scope.dispose();
    arena.dispose();
  });

  const random = new Random(11);
  const tensor = (shape: readonly number[], dtype: FloatDtype = 'fp32', scale = 1) => {
    const made = random.tensor(
      shape.reduce((a, b) => a * b, 1),
      dtype,
      scale,
    );
    const result = scope.tensor(shape, dtype);
    device.upload(result.buffer, made.data);
    return { result, values: decodeToFloat32(made.data, dtype) };
  };

  it('says whether the device has subgroup matrices', () => {
    if (kind === 'cpu') expect(hasMixedProducts(device)).toBe(false);
  });

  const runs = kind === 'cpu' || hasMixedProducts(device);
  const cases: [
    string,
    { M: number; N: number; K: number; form: 'NT' | 'NN' | 'TN'; dtype?: FloatDtype; aScale?: number },
  ][] = [
    ['forward, bf16', { M: 20, N: 16, K: 40, form: 'NT', dtype: 'bf16' }],
    ['forward, fp32', { M: 20, N: 16, K: 40, form: 'NT' }],
    ['dx of tiny gradients', { M: 11, N: 24, K: 16, form: 'NN', aScale: 1e-12 }],
    ['dx, fp16', { M: 11, N: 24, K: 16, form: 'NN', dtype: 'fp16' }],
    ['dW of large gradients, in parts', { M: 16, N: 24, K: 2065, form: 'TN', aScale: 1e9 }],
  ];
  it.skipIf(!runs).each(cases)('%s', async (_name, { M, N, K, form, dtype = 'fp32', aScale = 1 }) => {
    const aAlongK = form !== 'TN';
    const bAlongK = form === 'NT';
    const a = tensor(aAlongK ? [M, K] : [K, M], 'fp32', aScale);
    const b = tensor(bAlongK ? [N, K] : [K, N], dtype, 1 / Math.sqrt(K));
    const start = random.normals(M * N, aScale);
    const y = scope.tensor([M, N]);
    device.upload(y.buffer, start);
    const product: MixedProduct = {
      a: a.result,
      aAlongK,
      b: b.result,
      bAlongK,
      y: y.buffer,
      accumulate: true,
      scaleA: aScale !== 1,
    };
    expect(mixedProduct(scope, product)).toBe(true);
    const expected = start.map((value, at) => {
      const [m, n] = [Math.floor(at / N), at % N];
      let sum = 0;
      for (let k = 0; k < K; k++) {
        sum += a.values[aAlongK ? m * K + k : k * M + m]! * b.values[bAlongK ? n * K + k : k * N + n]!;
      }
      return value + sum;
    });
    const actual = ((await device.read(y.buffer)) as Float32Array).map((value) => value / aScale);
    const result = compare(
      actual,
      expected.map((value) => value / aScale),
      HALF,
    );
    expect(result.pass, `relative RMS ${result.relativeRms}`).toBe(true);
  });

  it.skipIf(!runs)('queues nothing for shapes that it cannot take', async () => {
    const y = scope.tensor([9, 9]);
    device.upload(y.buffer, new Float32Array(81).fill(7));
    const take = (a: Tensor, aAlongK: boolean, b: Tensor, bAlongK: boolean) =>
      mixedProduct(scope, { a, aAlongK, b, bAlongK, y: y.buffer, accumulate: false, scaleA: false });
    expect(take(scope.tensor([9, 12]), true, scope.tensor([9, 12], 'bf16'), true)).toBe(false);
    expect(take(scope.tensor([9, 12]), true, scope.tensor([9, 12]), true)).toBe(false);
    expect(take(scope.tensor([9, 8]), true, scope.tensor([8, 9]), false)).toBe(false);
    expect(take(scope.tensor([4, 9]), false, scope.tensor([4, 8]), false)).toBe(false);
    const wide = scope.tensor([100], 'bf16');
    expect(take(scope.tensor([9, 8]), true, new Tensor(wide.buffer, [9, 8], 4), true)).toBe(false);
    expect(await device.read(y.buffer)).toEqual(new Float32Array(81).fill(7));
  });

  it('a mixed tape gives the gradients of a float32 one, within fp16 where the device has it', async () => {
    const [M, N, K] = [24, 16, 32];
    const [xs, ws, dys] = [random.normals(M * K), random.normals(N * K, 0.2), random.normals(M * N, 1e-7)];
    const gradients = async (precision: 'fp32' | 'mixed') => {
      using tape = new Tape(arena, { precision });
      using plain = new Scope(arena);
      const load = (shape: number[], values: Float32Array) => {
        const made = plain.tensor(shape);
        device.upload(made.buffer, values);
        return made;
      };
      const [x, w] = [tape.watch(load([M, K], xs)), tape.watch(load([N, K], ws))];
      linear(tape, x, w).backward(load([M, N], dys));
      const read = async (of: Tensor) => (await device.read(tape.gradient(of).buffer)) as Float32Array;
      return [await read(x), await read(w)] as const;
    };
    const exact = await gradients('fp32');
    const mixed = await gradients('mixed');
    for (const at of [0, 1] as const) {
      if (!hasMixedProducts(device)) expect(mixed[at]).toEqual(exact[at]);
      else expect(compare(mixed[at], exact[at], { relativeRms: 1e-3, atol: 1e-8, rtol: 1e-2 }).pass).toBe(true);
    }
  });

  it('refuses a precision that there is not', () => {
    expect(() => new Scope(arena, { precision: 'fp8' as 'fp32' })).toThrow(OptionError);
  });
});
