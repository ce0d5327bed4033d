import { Arena } from '@xlstm/device';
import { compare, FLOAT32, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockDiagonalLinearReference } from '../kernels/block-diagonal-linear/reference.ts';
import { blockDiagonalWeightBackwardReference } from '../kernels/block-diagonal-weight-backward/reference.ts';
import { sumPartialsReference } from '../kernels/sum-partials/reference.ts';
import { rowChunks } from '../row-chunks.ts';
import { Scope } from '../scope.ts';
import { dot, doubles, gradientError, uploaded } from '../testing/finite-differences.ts';
import { blockDiagonalLinearBackward } from './block-diagonal-linear-backward.ts';

/** A layer of random values, and its gradients through the references, all in float64. */
function example(rows: number, NB: number, DI: number, DO: number, seed: number) {
  const random = new Random(seed);
  const normals = (length: number) => doubles(length, () => random.normal());
  const [x, dy, weight, bias] = [
    normals(rows * NB * DI),
    normals(rows * NB * DO),
    normals(NB * DO * DI),
    normals(NB * DO),
  ];
  const y = doubles(rows * NB * DO);
  const inputs = { offset: 0, stride: NB * DI };
  const outputs = { offset: 0, stride: NB * DO };
  const between = (from: typeof inputs, to: typeof inputs) => ({
    xOffset: from.offset,
    xStride: from.stride,
    yOffset: to.offset,
    yStride: to.stride,
  });
  const loss = () => {
    const shape = { rows, NB, I: DI, O: DO, transposed: 0, accumulate: 0 };
    blockDiagonalLinearReference({ x, weight, bias, y }, { ...shape, ...between(inputs, outputs) });
    return dot(y, dy);
  };
  const [dx, dweight, dbias] = [doubles(rows * NB * DI), doubles(NB * DO * DI), doubles(NB * DO)];
  blockDiagonalLinearReference(
    { x: dy, weight, bias: undefined, y: dx },
    { rows, NB, I: DO, O: DI, transposed: 1, accumulate: 0, ...between(outputs, inputs) },
  );
  const { chunk, parts } = rowChunks(rows);
  const stride = NB * DO * (DI + 1);
  const partials = doubles(parts * stride);
  blockDiagonalWeightBackwardReference(
    { x, dy, partials },
    { rows, NB, DI, DO, chunk, xOffset: 0, xStride: NB * DI, dyOffset: 0, dyStride: NB * DO },
  );
  sumPartialsReference({ partials, y: dweight }, { parts, stride, offset: 0, N: NB * DO * DI, accumulate: 0 });
  sumPartialsReference({ partials, y: dbias }, { parts, stride, offset: NB * DO * DI, N: NB * DO, accumulate: 0 });
  return { inputs: { x, weight, bias }, dy, loss, gradients: { dx, dweight, dbias } };
}

describe('the gradient of blockDiagonalLinear', () => {
  it('is what central differences say', () => {
    const upTo = (max: number) => fc.integer({ min: 1, max });
    fc.assert(
      fc.property(upTo(20), upTo(3), upTo(5), upTo(5), fc.nat(), (...choice) => {
        const { inputs, loss, gradients } = example(...choice);
        expect(gradientError(loss, inputs.x, gradients.dx)).toBeLessThan(1e-7);
        expect(gradientError(loss, inputs.weight, gradients.dweight)).toBeLessThan(1e-7);
        expect(gradientError(loss, inputs.bias, gradients.dbias)).toBeLessThan(1e-7);
      }),
      { numRuns: 15 },
    );
  });
});

await describeDevices('blockDiagonalLinearBackward', (device) => {
  it('takes columns of a wider gradient, and gives what is asked for', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [rows, NB, DI, DO] = [21, 3, 4, 5];
    const { inputs, dy, gradients } = example(rows, NB, DI, DO, 2);
    const wide = uploaded(
      scope,
      [rows, NB * DO + 2],
      Array.from({ length: rows * (NB * DO + 2) }, (_, index) => {
        const column = (index % (NB * DO + 2)) - 1;
        const inside = column >= 0 && column < NB * DO;
        return inside ? dy[Math.floor(index / (NB * DO + 2)) * NB * DO + column]! : 99;
      }),
    );
    const tensors = {
      x: uploaded(scope, [rows, NB * DI], inputs.x),
      weight: uploaded(scope, [NB, DO, DI], inputs.weight),
      dy: wide.columns(1, NB * DO),
    };
    const dx = uploaded(scope, [rows, NB * DI], 1);
    const [dweight, dbias] = [uploaded(scope, [NB, DO, DI], Number.NaN), uploaded(scope, [NB * DO], 2)];
    blockDiagonalLinearBackward(scope, tensors, {});
    blockDiagonalLinearBackward(scope, tensors, {
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
    await close(dbias, gradients.dbias, 2);
  });

  it('refuses other shapes', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, weight, dy] = [scope.tensor([2, 6]), scope.tensor([3, 4, 2]), scope.tensor([2, 12])];
    const to = (tensor: typeof x) => ({ tensor, accumulate: false });
    expect(() => blockDiagonalLinearBackward(scope, { x, weight, dy: x }, {})).toThrow(
      /dy must be \[2,12\], got \[2,6\]/,
    );
    expect(() => blockDiagonalLinearBackward(scope, { x, weight, dy }, { dx: to(dy) })).toThrow(/dx must be \[2,6\]/);
    expect(() => blockDiagonalLinearBackward(scope, { x, weight, dy }, { dweight: to(x) })).toThrow(
      /dweight must be \[3,4,2\]/,
    );
  });
});
