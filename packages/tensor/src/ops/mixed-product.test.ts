import {
  Arena,
  decodeToFloat32,
  dequantizeRows,
  encodeFromFloat32,
  type FloatDtype,
  isQuantizedDtype,
  OptionError,
  quantizeRows,
  type WeightDtype,
} from '@xlstm/device';
import { compare, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Scope } from '../scope.ts';
import { Tape } from '../tape/tape.ts';
import { Tensor } from '../tensor.ts';
import { type MatrixPart, WeightMatrix } from '../weight-matrix.ts';
import { type LinearOptions, linear } from './linear.ts';
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
    ['dx of tiny gradients', { M: 9, N: 32, K: 16, form: 'NN', aScale: 1e-12 }],
    ['dx, fp16', { M: 9, N: 32, K: 16, form: 'NN', dtype: 'fp16' }],
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

  /** `values [N, K]` on the device in parts of so many rows, and as floats again. */
  const matrix = (
    values: Float32Array,
    N: number,
    K: number,
    dtype: WeightDtype,
    sections: number,
    parts: number[],
  ) => {
    const kept = new Float32Array(N * K);
    const load = (data: Uint16Array | Uint32Array | Float32Array, of: FloatDtype | 'u32') => {
      const { buffer } = scope.tensor([data.length], of);
      device.upload(buffer, data);
      return buffer;
    };
    let firstRow = 0;
    const made = parts.map((rows): MatrixPart => {
      // Of each section, the rows that this part holds.
      const each = rows / sections;
      const starts = Array.from({ length: sections }, (_, section) => (section * N + firstRow) / sections);
      const own = new Float32Array(rows * K);
      starts.forEach((row, at) => {
        own.set(values.subarray(row * K, (row + each) * K), at * each * K);
      });
      const place = { firstRow, rows };
      firstRow += rows;
      const keep = (floats: Float32Array) =>
        starts.forEach((row, at) => {
          kept.set(floats.subarray(at * each * K, (at + 1) * each * K), row * K);
        });
      if (!isQuantizedDtype(dtype)) {
        const data = encodeFromFloat32(own, dtype);
        keep(decodeToFloat32(data, dtype));
        return { ...place, data: load(data as Uint16Array, dtype), scales: undefined };
      }
      const codes = quantizeRows(own, K, dtype, 32);
      keep(dequantizeRows(codes, K, dtype, 32));
      return { ...place, data: load(codes.codes, 'u32'), scales: load(codes.scales, 'fp16') };
    });
    return { result: new WeightMatrix(dtype, [N, K], made, isQuantizedDtype(dtype) ? 32 : 0, sections), kept };
  };

  const matrices: [string, { N: number; dtype: WeightDtype; sections?: number; parts: number[]; bias?: true }][] = [
    ['q8', { N: 24, dtype: 'q8', parts: [24] }],
    ['q4, with bias', { N: 24, dtype: 'q4', parts: [24], bias: true }],
    ['bf16 in two parts', { N: 40, dtype: 'bf16', parts: [24, 16] }],
    ['fp32 in two parts', { N: 40, dtype: 'fp32', parts: [24, 16], bias: true }],
    ['q4 in two parts of two sections', { N: 72, dtype: 'q4', sections: 2, parts: [40, 32], bias: true }],
    ['q8 in two parts of two sections', { N: 72, dtype: 'q8', sections: 2, parts: [40, 32] }],
  ];
  it.skipIf(!runs).each(matrices)('of a matrix, %s', async (_name, { N, dtype, sections = 1, parts, bias }) => {
    const [M, K] = [20, 96];
    const x = tensor([M, K]);
    const { result: b, kept } = matrix(random.normals(N * K, 1 / Math.sqrt(K)), N, K, dtype, sections, parts);
    const biases = tensor([N]);
    const start = random.normals(3 + M * N);
    const y = scope.tensor([3 + M * N]);
    device.upload(y.buffer, start);
    const added = bias ? { bias: biases.result.buffer } : {};
    const operands = { a: x.result, aAlongK: true, b, bAlongK: true, ...added };
    expect(mixedProduct(scope, { ...operands, y: y.buffer, yOffset: 3, accumulate: true, scaleA: false })).toBe(true);
    const expected = start.map((value, at) => {
      if (at < 3) return value;
      const [m, n] = [Math.floor((at - 3) / N), (at - 3) % N];
      let sum = bias ? biases.values[n]! : 0;
      for (let k = 0; k < K; k++) sum += x.values[m * K + k]! * kept[n * K + k]!;
      return value + sum;
    });
    const result = compare((await device.read(y.buffer)) as Float32Array, expected, HALF);
    expect(result.pass, `relative RMS ${result.relativeRms}`).toBe(true);
  });

  it.skipIf(!runs)('queues nothing of a matrix of which one part is too small', async () => {
    const [M, N, K] = [20, 40, 32];
    const { result: b } = matrix(random.normals(N * K), N, K, 'q4', 1, [32, 8]);
    const y = scope.tensor([M, N]);
    device.upload(y.buffer, new Float32Array(M * N).fill(7));
    const a = tensor([M, K]).result;
    const product = { a, aAlongK: true, b, bAlongK: true, y: y.buffer, accumulate: false, scaleA: false };
    expect(mixedProduct(scope, product)).toBe(false);
    expect(await device.read(y.buffer)).toEqual(new Float32Array(M * N).fill(7));
  });

  it('linear of a quantised matrix in parts is that of float32, within fp16 where the device has it', async () => {
    const [M, N, K] = [20, 72, 96];
    const x = tensor([M, K]).result;
    const { result: weight } = matrix(random.normals(N * K, 1 / Math.sqrt(K)), N, K, 'q4', 2, [40, 32]);
    const plain = new Scope(arena);
    const exact = (await device.read(linear(plain, x, weight).buffer)) as Float32Array;
    const mixed = (await device.read(linear(scope, x, weight).buffer)) as Float32Array;
    plain.dispose();
    if (!hasMixedProducts(device)) expect(mixed).toEqual(exact);
    else {
      expect(mixed).not.toEqual(exact);
      expect(compare(mixed, exact, HALF).pass).toBe(true);
    }
  });

  it('a mixed tape gives the gradients of a float32 one, within fp16 where the device has it', async () => {
    const [M, N, K] = [24, 16, 32];
    const [xs, ws, dys] = [random.normals(M * K), random.normals(N * K, 0.2), random.normals(M * N, 1e-7)];
    const gradients = async (precision: 'fp32' | 'mixed', layer: LinearOptions = {}) => {
      using tape = new Tape(arena, { precision });
      using plain = new Scope(arena);
      const load = (shape: number[], values: Float32Array) => {
        const made = plain.tensor(shape);
        device.upload(made.buffer, values);
        return made;
      };
      const [x, w] = [tape.watch(load([M, K], xs)), tape.watch(load([N, K], ws))];
      linear(tape, x, w, layer).backward(load([M, N], dys));
      const read = async (of: Tensor) => (await device.read(tape.gradient(of).buffer)) as Float32Array;
      return [await read(x), await read(w)] as const;
    };
    const exact = await gradients('fp32');
    const mixed = await gradients('mixed');
    expect(await gradients('mixed', { precision: 'fp32' })).toEqual(exact);
    for (const at of [0, 1] as const) {
      if (!hasMixedProducts(device)) expect(mixed[at]).toEqual(exact[at]);
      else expect(compare(mixed[at], exact[at], { relativeRms: 1e-3, atol: 1e-8, rtol: 1e-2 }).pass).toBe(true);
    }
  });

  it('refuses a precision that there is not', () => {
    expect(() => new Scope(arena, { precision: 'fp8' as 'fp32' })).toThrow(OptionError);
  });
});
