import { Arena } from '@xlstm/device';
import { compare, FLOAT32, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowChunks } from '../../row-chunks.ts';
import { Scope } from '../../scope.ts';
import { dot, doubles, gradientError, uploaded } from '../../testing/finite-differences.ts';
import { gatedSkipReference } from '../gated-skip/reference.ts';
import { gatedSkipWeightBackwardReference } from '../gated-skip-weight-backward/reference.ts';
import { sumPartialsReference } from '../sum-partials/reference.ts';
import { gatedSkipBackward } from './index.ts';
import { gatedSkipBackwardReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

/** A gated skip of random values, and its gradients through the references, all in float64. */
function example(rows: number, D: number, seed: number) {
  const random = new Random(seed);
  const normals = (length: number) => doubles(length, () => random.normal());
  const [h, a, z, dy] = [normals(rows * D), normals(rows * D), normals(rows * D), normals(rows * D)];
  const [skip, y] = [normals(D), doubles(rows * D)];
  const shape = { rows, D, zOffset: 0, zStride: D };
  const loss = () => {
    gatedSkipReference({ h, skip, a, z, y }, shape);
    return dot(y, dy);
  };
  const [dh, da, dz, dskip] = [doubles(rows * D), doubles(rows * D), doubles(rows * D), doubles(D)];
  const replace = { accumulateH: 0, accumulateA: 0, accumulateZ: 0 };
  gatedSkipBackwardReference({ h, skip, a, z, dy, dh, da, dz }, { ...shape, dzOffset: 0, dzStride: D, ...replace });
  const { chunk, parts } = rowChunks(rows);
  const partials = doubles(parts * D);
  gatedSkipWeightBackwardReference({ a, z, dy, partials }, { ...shape, chunk });
  sumPartialsReference({ partials, y: dskip }, { parts, stride: D, offset: 0, N: D, accumulate: 0 });
  return { inputs: { h, skip, a, z }, dy, loss, gradients: { dh, dskip, da, dz } };
}

describe('the gradient of gatedSkip', () => {
  it('is what central differences say', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5 }), fc.nat(), (rows, D, seed) => {
        const { inputs, loss, gradients } = example(rows, D, seed);
        expect(gradientError(loss, inputs.h, gradients.dh)).toBeLessThan(1e-7);
        expect(gradientError(loss, inputs.skip, gradients.dskip)).toBeLessThan(1e-7);
        expect(gradientError(loss, inputs.a, gradients.da)).toBeLessThan(1e-7);
        expect(gradientError(loss, inputs.z, gradients.dz)).toBeLessThan(1e-7);
      }),
      { numRuns: 20 },
    );
  });
});

await describeDevices('gatedSkipBackward', (device) => {
  it('gives what is asked for', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [rows, D] = [37, 6];
    const { inputs, dy, gradients } = example(rows, D, 8);
    const on = (values: Float32Array) => uploaded(scope, [rows, D], values);
    const tensors = {
      h: on(inputs.h),
      skip: uploaded(scope, [D], inputs.skip),
      a: on(inputs.a),
      z: on(inputs.z),
      dy: on(dy),
    };
    const [dh, da, dz] = [1, 2, 3].map((value) => uploaded(scope, [rows, D], value)) as [
      typeof tensors.h,
      typeof tensors.h,
      typeof tensors.h,
    ];
    const dskip = uploaded(scope, [D], 1);
    gatedSkipBackward(scope, tensors, {});
    gatedSkipBackward(scope, tensors, { dh: { tensor: dh, accumulate: false }, dz: { tensor: dz, accumulate: true } });
    gatedSkipBackward(scope, tensors, {
      da: { tensor: da, accumulate: false },
      dskip: { tensor: dskip, accumulate: true },
    });
    const close = async (tensor: typeof dh, expected: Float32Array, start: number) =>
      expect(
        compare(
          await device.read(tensor.buffer),
          Array.from(expected, (v) => v + start),
          FLOAT32,
        ),
      ).toMatchObject({
        pass: true,
      });
    await close(dh, gradients.dh, 0);
    await close(da, gradients.da, 0);
    await close(dz, gradients.dz, 3);
    await close(dskip, gradients.dskip, 1);
  });

  it('refuses other shapes, views, and two gradients in one buffer', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [h, skip, wide] = [scope.tensor([2, 2]), scope.tensor([2]), scope.tensor([2, 4])];
    const inputs = { h, skip, a: h, z: h, dy: h };
    const to = (tensor: typeof h) => ({ tensor, accumulate: false });
    expect(() => gatedSkipBackward(scope, inputs, { dskip: to(wide) })).toThrow(/dskip must be \[2\], got \[2,4\]/);
    expect(() => gatedSkipBackward(scope, inputs, { dh: to(wide.columns(0, 2)) })).toThrow(/dh must be contiguous/);
    const other = scope.tensor([2, 2]);
    expect(() => gatedSkipBackward(scope, inputs, { dh: to(other), da: to(other) })).toThrow(/bind another buffer/);
  });
});
