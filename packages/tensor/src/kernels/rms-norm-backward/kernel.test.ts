import { Arena } from '@xlstm/device';
import { compare, FLOAT32, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowChunks } from '../../row-chunks.ts';
import { Scope } from '../../scope.ts';
import { dot, doubles, gradientError, uploaded } from '../../testing/finite-differences.ts';
import { normWeightBackwardReference } from '../norm-weight-backward/reference.ts';
import { rmsNormReference } from '../rms-norm/reference.ts';
import { sumPartialsReference } from '../sum-partials/reference.ts';
import { rmsNormBackward } from './index.ts';
import { rmsNormBackwardReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

/** A norm on random values, and its gradients through the references, all in float64. */
function example(rows: number, D: number, seed: number, eps: number) {
  const random = new Random(seed);
  const x = doubles(rows * D, () => 0.5 + 2 * random.normal());
  const weight = doubles(D, () => 1 + 0.3 * random.normal());
  const bias = doubles(D, () => random.normal());
  const dy = doubles(rows * D, () => random.normal());
  const y = doubles(rows * D);
  const loss = () => {
    rmsNormReference({ x, weight, bias, y }, { rows, D, eps });
    return dot(y, dy);
  };
  const stats = doubles(2 * rows);
  const { chunk, parts } = rowChunks(rows);
  const partials = doubles(2 * parts * D);
  const gradients = { dx: doubles(rows * D), dweight: doubles(D), dbias: doubles(D) };
  rmsNormBackwardReference({ x, weight, dy, dx: gradients.dx, stats }, { rows, D, eps, accumulate: 0 });
  normWeightBackwardReference(
    { x, gate: undefined, dy, stats, partials },
    { rows, NH: 1, DH: D, chunk, gateOffset: 0, gateStride: 0 },
  );
  const sum = { parts, stride: 2 * D, N: D, accumulate: 0 };
  sumPartialsReference({ partials, y: gradients.dweight }, { ...sum, offset: 0 });
  sumPartialsReference({ partials, y: gradients.dbias }, { ...sum, offset: D });
  return { x, weight, bias, dy, loss, gradients };
}

describe('the gradient of rmsNorm', () => {
  it('is what central differences say', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 9 }), fc.nat(), (rows, D, seed) => {
        const { x, weight, bias, loss, gradients } = example(rows, D, seed, 1e-3);
        expect(gradientError(loss, x, gradients.dx)).toBeLessThan(1e-6);
        expect(gradientError(loss, weight, gradients.dweight)).toBeLessThan(1e-6);
        expect(gradientError(loss, bias, gradients.dbias)).toBeLessThan(1e-6);
      }),
      { numRuns: 25 },
    );
  });
});

await describeDevices('rmsNormBackward', (device) => {
  it('gives what is asked for, adding where told to', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [rows, D] = [37, 20];
    const { x, weight, dy, gradients } = example(rows, D, 5, 1e-6);
    const inputs = {
      x: uploaded(scope, [rows, D], x),
      weight: uploaded(scope, [D], weight),
      dy: uploaded(scope, [rows, D], dy),
    };
    const dx = uploaded(scope, [rows, D], 1);
    const dweight = uploaded(scope, [D], Number.NaN);
    const dbias = uploaded(scope, [D], -2);
    rmsNormBackward(scope, inputs, {});
    rmsNormBackward(scope, inputs, {
      dx: { tensor: dx, accumulate: true },
      dweight: { tensor: dweight, accumulate: false },
      dbias: { tensor: dbias, accumulate: true },
    });
    const close = async (tensor: typeof dx, expected: Float32Array, start: number) =>
      expect(
        compare(
          await device.read(tensor.buffer),
          Array.from(expected, (v) => v + start),
          FLOAT32,
        ),
      ).toMatchObject({
        pass: true,
      });
    await close(dx, gradients.dx, 1);
    await close(dweight, gradients.dweight, 0);
    await close(dbias, gradients.dbias, -2);
  });

  it('refuses other shapes, views and integer gradients', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, weight, wide] = [scope.tensor([2, 4]), scope.tensor([4]), scope.tensor([2, 8])];
    const to = (tensor: typeof x) => ({ tensor, accumulate: false });
    expect(() => rmsNormBackward(scope, { x, weight, dy: wide }, {})).toThrow(/dy must be \[2,4\], got \[2,8\]/);
    expect(() => rmsNormBackward(scope, { x, weight, dy: x }, { dx: to(wide) })).toThrow(/dx must be \[2,4\]/);
    expect(() => rmsNormBackward(scope, { x, weight, dy: x }, { dx: to(wide.columns(0, 4)) })).toThrow(/contiguous/);
    expect(() => rmsNormBackward(scope, { x, weight, dy: x }, { dweight: to(scope.tensor([4], 'u32')) })).toThrow(
      /dweight must be fp32, got u32/,
    );
  });
});
