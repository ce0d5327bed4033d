import { Arena } from '@xlstm/device';
import { compare, FLOAT32, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowChunks } from '../../row-chunks.ts';
import { Scope } from '../../scope.ts';
import { dot, doubles, gradientError, uploaded } from '../../testing/finite-differences.ts';
import { causalConvReference } from '../causal-conv/reference.ts';
import { causalConvWeightBackwardReference } from '../causal-conv-weight-backward/reference.ts';
import { sumPartialsReference } from '../sum-partials/reference.ts';
import { causalConvBackward } from './index.ts';
import { causalConvBackwardReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

/** A convolution of random values from a state to a state, and its gradients through the references, in float64. */
function example(B: number, S: number, D: number, K: number, seed: number) {
  const random = new Random(seed);
  const normals = (length: number) => doubles(length, () => random.normal());
  const [x, dy, weight, bias] = [normals(B * S * D), normals(B * S * D), normals(D * K), normals(D)];
  const [state, dnextState] = [normals(B * (K - 1) * D), normals(B * (K - 1) * D)];
  const [y, nextState] = [doubles(B * S * D), doubles(B * (K - 1) * D)];
  const shape = { B, S, D, K };
  const loss = () => {
    causalConvReference({ x, weight, bias, state, y, nextState }, { ...shape, xOffset: 0, xStride: D, inPlace: 0 });
    return dot(y, dy) + dot(nextState, dnextState);
  };
  const gradients = {
    dx: doubles(x.length),
    dstate: doubles(state.length),
    dweight: doubles(D * K),
    dbias: doubles(D),
  };
  causalConvBackwardReference(
    { weight, dy, dnextState, dx: gradients.dx, dstate: gradients.dstate },
    { ...shape, dxOffset: 0, dxStride: D, accumulateX: 0, accumulateState: 0 },
  );
  const { chunk, parts } = rowChunks(B * S);
  const partials = doubles(parts * D * (K + 1));
  causalConvWeightBackwardReference({ x, state, dy, partials }, { ...shape, chunk, xOffset: 0, xStride: D });
  const sum = { parts, stride: D * (K + 1), accumulate: 0 };
  sumPartialsReference({ partials, y: gradients.dweight }, { ...sum, offset: 0, N: D * K });
  sumPartialsReference({ partials, y: gradients.dbias }, { ...sum, offset: D * K, N: D });
  return { inputs: { x, weight, bias, state }, dy, dnextState, loss, gradients };
}

describe('the gradient of causalConv', () => {
  it('is what central differences say, from state to state', () => {
    const upTo = (max: number) => fc.integer({ min: 1, max });
    fc.assert(
      fc.property(upTo(3), upTo(9), upTo(3), upTo(8), fc.nat(), (...choice) => {
        const { inputs, loss, gradients } = example(...choice);
        expect(gradientError(loss, inputs.x, gradients.dx)).toBeLessThan(1e-7);
        expect(gradientError(loss, inputs.state, gradients.dstate)).toBeLessThan(1e-7);
        expect(gradientError(loss, inputs.weight, gradients.dweight)).toBeLessThan(1e-7);
        expect(gradientError(loss, inputs.bias, gradients.dbias)).toBeLessThan(1e-7);
      }),
      { numRuns: 30 },
    );
  });
});

await describeDevices('causalConvBackward', (device) => {
  it('gives the gradients of the whole for a sequence that was cut', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [B, S, D, K] = [2, 37, 3, 4];
    const { inputs, dy, dnextState, gradients } = example(B, S, D, K, 3);
    const weight = uploaded(scope, [D, 1, K], inputs.weight);
    const dweight = uploaded(scope, [D, 1, K], 0);
    const dbias = uploaded(scope, [D], 0);
    let dstate = uploaded(scope, [B, K - 1, D], dnextState);
    const times = (values: ArrayLike<number>, first: number, length: number) =>
      Array.from({ length: B * length * D }, (_, index) => {
        const b = Math.floor(index / (length * D));
        return values[(b * S + first) * D + (index % (length * D))]!;
      });
    // From the last piece to the first, each handed the gradient of the state that it left.
    for (const [first, length] of [
      [20, 17],
      [18, 2],
      [0, 18],
    ] as const) {
      // The state of a piece: the K − 1 inputs before it.
      const before = Array.from({ length: B * (K - 1) * D }, (_, index) => {
        const b = Math.floor(index / ((K - 1) * D));
        const place = Math.floor(index / D) % (K - 1);
        const time = first - (K - 1) + place;
        return time < 0 ? inputs.state[index]! : inputs.x[(b * S + time) * D + (index % D)]!;
      });
      const piece = {
        x: uploaded(scope, [B, length, D], times(inputs.x, first, length)),
        weight,
        state: uploaded(scope, [B, K - 1, D], before),
        dy: uploaded(scope, [B, length, D], times(dy, first, length)),
        dnextState: dstate,
      };
      dstate = uploaded(scope, [B, K - 1, D], Number.NaN);
      const part = uploaded(scope, [B, length, D], Number.NaN);
      causalConvBackward(scope, piece, {
        dx: { tensor: part, accumulate: false },
        dweight: { tensor: dweight, accumulate: true },
        dbias: { tensor: dbias, accumulate: true },
        dstate: { tensor: dstate, accumulate: false },
      });
      const values = await device.read(part.buffer);
      expect(compare(values, times(gradients.dx, first, length), FLOAT32)).toMatchObject({ pass: true });
    }
    const close = async (tensor: typeof dbias, expected: ArrayLike<number>) =>
      expect(compare(await device.read(tensor.buffer), expected, FLOAT32)).toMatchObject({ pass: true });
    await close(dstate, gradients.dstate);
    await close(dweight, gradients.dweight);
    await close(dbias, gradients.dbias);
  });

  it('refuses other shapes', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, weight] = [scope.tensor([2, 3, 5]), scope.tensor([5, 1, 4])];
    const to = (tensor: typeof x) => ({ tensor, accumulate: false });
    expect(() => causalConvBackward(scope, { x, weight, dy: weight }, {})).toThrow(/dy must be \[2,3,5\]/);
    expect(() => causalConvBackward(scope, { x, weight, dy: x }, { dweight: to(x) })).toThrow(
      /dweight must be \[5,1,4\]/,
    );
    expect(() => causalConvBackward(scope, { x, weight, dy: x }, { dstate: to(weight) })).toThrow(
      /dstate must be \[2,3,5\]/,
    );
    expect(() => causalConvBackward(scope, { x, weight, dy: x, dnextState: weight }, {})).toThrow(/dnextState must be/);
  });
});
