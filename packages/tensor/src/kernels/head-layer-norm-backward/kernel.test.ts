import { Arena } from '@xlstm/device';
import { compare, FLOAT32, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowChunks } from '../../row-chunks.ts';
import { Scope } from '../../scope.ts';
import { dot, doubles, gradientError, uploaded } from '../../testing/finite-differences.ts';
import { headLayerNormReference } from '../head-layer-norm/reference.ts';
import { normWeightBackwardReference } from '../norm-weight-backward/reference.ts';
import { sumPartialsReference } from '../sum-partials/reference.ts';
import { headLayerNormBackward } from './index.ts';
import { headLayerNormBackwardReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

/** A gated norm on random values, and its gradients through the references, all in float64. */
function example(rows: number, NH: number, DH: number, seed: number, { eps = 1e-3, weightOffset = 1 } = {}) {
  const random = new Random(seed);
  const normals = (length: number) => doubles(length, () => random.normal());
  const D = NH * DH;
  const [x, gate, dy] = [normals(rows * D), normals(rows * D), normals(rows * D)];
  const [weight, bias] = [normals(D), normals(D)];
  const y = doubles(rows * D);
  const shape = { rows, NH, DH, eps, weightOffset, gateOffset: 0, gateStride: D };
  const loss = () => {
    headLayerNormReference({ x, weight, bias, gate, y }, shape);
    return dot(y, dy);
  };
  const gradients = { dx: doubles(rows * D), dgate: doubles(rows * D), dweight: doubles(D), dbias: doubles(D) };
  const stats = doubles(2 * rows * NH);
  headLayerNormBackwardReference(
    { x, weight, bias, gate, dy, dx: gradients.dx, dgate: gradients.dgate, stats },
    { ...shape, dgateOffset: 0, dgateStride: D, accumulateX: 0, accumulateGate: 0 },
  );
  const { chunk, parts } = rowChunks(rows);
  const partials = doubles(2 * parts * D);
  normWeightBackwardReference({ x, gate, dy, stats, partials }, { rows, NH, DH, chunk, gateOffset: 0, gateStride: D });
  const sum = { parts, stride: 2 * D, N: D, accumulate: 0 };
  sumPartialsReference({ partials, y: gradients.dweight }, { ...sum, offset: 0 });
  sumPartialsReference({ partials, y: gradients.dbias }, { ...sum, offset: D });
  return { x, weight, bias, gate, dy, loss, gradients };
}

describe('the gradient of headLayerNorm', () => {
  it('is what central differences say', () => {
    const sizes = [fc.integer({ min: 1, max: 18 }), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 6 })];
    fc.assert(
      fc.property(
        ...(sizes as [fc.Arbitrary<number>, fc.Arbitrary<number>, fc.Arbitrary<number>]),
        fc.nat(),
        (...c) => {
          const { x, weight, bias, gate, loss, gradients } = example(...c);
          // Two close elements in a head make the norm curve sharply: a small step.
          expect(gradientError(loss, x, gradients.dx, 1e-6)).toBeLessThan(1e-6);
          expect(gradientError(loss, gate, gradients.dgate)).toBeLessThan(1e-6);
          expect(gradientError(loss, weight, gradients.dweight)).toBeLessThan(1e-6);
          expect(gradientError(loss, bias, gradients.dbias)).toBeLessThan(1e-6);
        },
      ),
      { numRuns: 20 },
    );
  });
});

await describeDevices('headLayerNormBackward', (device) => {
  it('gives what is asked for, the gate as columns of a wider gradient', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [rows, NH, DH, D] = [19, 2, 10, 20];
    const { x, weight, bias, gate, dy, gradients } = example(rows, NH, DH, 5);
    const inputs = {
      x: uploaded(scope, [rows, D], x),
      weight: uploaded(scope, [D], weight),
      bias: uploaded(scope, [D], bias),
      gate: uploaded(scope, [rows, D], gate),
      dy: uploaded(scope, [rows, D], dy),
      heads: NH,
      eps: 1e-3,
      weightOffset: 1,
    };
    const [dx, wide] = [uploaded(scope, [rows, D], Number.NaN), uploaded(scope, [rows, 2 * D], 3)];
    const [dweight, dbias] = [uploaded(scope, [D], 0.5), uploaded(scope, [D], Number.NaN)];
    headLayerNormBackward(scope, inputs, {});
    headLayerNormBackward(scope, inputs, {
      dx: { tensor: dx, accumulate: false },
      dgate: { tensor: wide.columns(5, D), accumulate: true },
      dweight: { tensor: dweight, accumulate: true },
      dbias: { tensor: dbias, accumulate: false },
    });
    const close = async (tensor: typeof dx, expected: ArrayLike<number>) =>
      expect(compare(await device.read(tensor.buffer), expected, FLOAT32)).toMatchObject({ pass: true });
    await close(dx, gradients.dx);
    await close(
      dweight,
      gradients.dweight.map((value) => value + 0.5),
    );
    await close(dbias, gradients.dbias);
    const inWide = Array.from({ length: rows * 2 * D }, (_, index) => {
      const column = (index % (2 * D)) - 5;
      return 3 + (column >= 0 && column < D ? gradients.dgate[Math.floor(index / (2 * D)) * D + column]! : 0);
    });
    await close(wide, inWide);
  });

  it('refuses what does not fit', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, weight, wide] = [scope.tensor([2, 6]), scope.tensor([6]), scope.tensor([2, 8])];
    const to = (tensor: typeof x) => ({ tensor, accumulate: false });
    const inputs = { x, weight, dy: x, heads: 2 };
    expect(() => headLayerNormBackward(scope, { ...inputs, heads: 4 }, {})).toThrow(/heads must divide/);
    expect(() => headLayerNormBackward(scope, inputs, { dgate: to(x) })).toThrow(/dgate was asked for without a gate/);
    expect(() => headLayerNormBackward(scope, inputs, { dx: to(wide) })).toThrow(/dx must be \[2,6\], got \[2,8\]/);
    expect(() => headLayerNormBackward(scope, { ...inputs, dy: wide.columns(0, 6) }, {})).toThrow(/contiguous/);
  });
});
