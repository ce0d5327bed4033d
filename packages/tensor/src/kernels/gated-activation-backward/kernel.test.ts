import { Arena } from '@xlstm/device';
import { compare, FLOAT32, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { dot, doubles, gradientError, uploaded } from '../../testing/finite-differences.ts';
import { gatedActivationReference } from '../gated-activation/reference.ts';
import { gatedActivationBackward, swigluBackward } from './index.ts';
import { gatedActivationBackwardReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

/** A gated activation of both halves of random rows, and its gradient in float64, halves of rows too. */
function example(rows: number, D: number, activation: number, seed: number) {
  const random = new Random(seed);
  const projected = doubles(2 * rows * D, () => 2 * random.normal());
  const dy = doubles(rows * D, () => random.normal());
  const [y, gradient] = [doubles(rows * D), doubles(2 * rows * D)];
  const shape = { rows, D, gateOffset: 0, gateStride: 2 * D, upOffset: D, upStride: 2 * D, activation };
  const loss = () => {
    gatedActivationReference({ gate: projected, up: projected, y }, shape);
    return dot(y, dy);
  };
  gatedActivationBackwardReference(
    { gate: projected, up: projected, dy, dgate: gradient, dup: undefined },
    {
      ...shape,
      dgateOffset: 0,
      dgateStride: 2 * D,
      dupOffset: D,
      dupStride: 2 * D,
      accumulateGate: 0,
      accumulateUp: 0,
      outputs: 3,
    },
  );
  return { projected, dy, loss, gradient };
}

describe('the gradient of a gated activation', () => {
  it('is what central differences say', () => {
    const sizes = { rows: fc.integer({ min: 1, max: 5 }), D: fc.integer({ min: 1, max: 8 }) };
    fc.assert(
      fc.property(sizes.rows, sizes.D, fc.integer({ min: 0, max: 1 }), fc.nat(), (...choice) => {
        const { projected, loss, gradient } = example(...choice);
        expect(gradientError(loss, projected, gradient)).toBeLessThan(1e-7);
      }),
      { numRuns: 25 },
    );
  });
});

await describeDevices('gatedActivationBackward', (device) => {
  it('writes columns of one gradient, two gradients, or one of them', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [rows, D] = [3, 5];
    for (const [code, name] of ['silu', 'gelu'].entries()) {
      const { projected, dy, gradient } = example(rows, D, code, 4);
      const x = uploaded(scope, [rows, 2 * D], projected);
      const inputs = { gate: x.columns(0, D), up: x.columns(D, D), dy: uploaded(scope, [rows, D], dy) };
      const one = uploaded(scope, [rows, 2 * D], 1);
      const two = [uploaded(scope, [rows, D], Number.NaN), uploaded(scope, [rows, D], 1)] as const;
      const alone = [uploaded(scope, [rows, D], 1), uploaded(scope, [rows, D], 1)] as const;
      const backward = (targets: Parameters<typeof swigluBackward>[2]) =>
        name === 'silu'
          ? swigluBackward(scope, inputs, targets)
          : gatedActivationBackward(scope, inputs, targets, 'gelu');
      backward({});
      backward({
        dgate: { tensor: one.columns(0, D), accumulate: true },
        dup: { tensor: one.columns(D, D), accumulate: false },
      });
      backward({ dgate: { tensor: two[0], accumulate: false }, dup: { tensor: two[1], accumulate: true } });
      backward({ dgate: { tensor: alone[0], accumulate: false } });
      backward({ dup: { tensor: alone[1], accumulate: false } });
      const halves = [0, D].map((start) =>
        Array.from({ length: rows * D }, (_, i) => gradient[Math.floor(i / D) * 2 * D + start + (i % D)]!),
      ) as [number[], number[]];
      const close = async (tensor: typeof x, expected: ArrayLike<number>) =>
        expect(compare(await device.read(tensor.buffer), expected, FLOAT32)).toMatchObject({ pass: true });
      await close(
        one,
        Array.from(gradient, (value, index) => value + (index % (2 * D) < D ? 1 : 0)),
      );
      await close(two[0], halves[0]);
      await close(
        two[1],
        halves[1].map((value) => value + 1),
      );
      await close(alone[0], halves[0]);
      await close(alone[1], halves[1]);
    }
  });

  it('refuses gradients that overlap and other shapes', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, wide] = [scope.tensor([2, 3]), scope.tensor([2, 8])];
    const to = (tensor: typeof x) => ({ tensor, accumulate: false });
    const inputs = { gate: x, up: x, dy: x };
    const overlapping = { dgate: to(wide.columns(1, 3)), dup: to(wide.columns(3, 3)) };
    expect(() => swigluBackward(scope, inputs, overlapping)).toThrow(/swigluBackward: dgate and dup overlap/);
    expect(() => swigluBackward(scope, { ...inputs, up: wide }, {})).toThrow(/up must be \[2,3\], got \[2,8\]/);
    expect(() => swigluBackward(scope, inputs, { dup: to(wide) })).toThrow(/dup must be \[2,3\], got \[2,8\]/);
    expect(() => gatedActivationBackward(scope, inputs, {}, 'tanh' as 'silu')).toThrow(
      /must be silu or gelu, got tanh/,
    );
  });
});
