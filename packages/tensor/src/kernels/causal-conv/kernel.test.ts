import { Arena } from '@xlstm/device';
import { compare, FLOAT32, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { doubles, uploaded } from '../../testing/finite-differences.ts';
import { causalConv } from './index.ts';
import { causalConvReference } from './reference.ts';
import { spec } from './spec.ts';

await testKernel(spec);

await describeDevices('causalConv', (device) => {
  it('gives the same in pieces and steps as in one go', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [B, S, D, K] = [2, 43, 5, 4];
    const random = new Random(1);
    const x = doubles(B * S * D, () => random.normal());
    const weights = random.normals(D * K);
    const biases = random.normals(D);
    const whole = doubles(B * S * D);
    causalConvReference(
      { x, weight: weights, bias: biases, state: undefined, y: whole, nextState: undefined },
      { B, S, D, K, xOffset: 0, xStride: D, inPlace: 0 },
    );
    const weight = uploaded(scope, [D, 1, K], weights);
    const bias = uploaded(scope, [D], biases);
    const state = uploaded(scope, [B, K - 1, D], 0);
    // 33 times are more than an invocation takes: the state then goes through a temporary.
    const pieces = [1, 2, 33, 5, 1, 1];
    let first = 0;
    for (const length of pieces) {
      const cut = (values: ArrayLike<number>) =>
        Array.from({ length: B * length * D }, (_, index) => {
          const b = Math.floor(index / (length * D));
          return values[(b * S + first) * D + (index % (length * D))]!;
        });
      const piece = uploaded(scope, [B, length, D], cut(x));
      const y = causalConv(scope, { x: piece, weight, bias, state, nextState: state });
      expect(compare(await device.read(y.buffer), cut(whole), FLOAT32)).toMatchObject({ pass: true });
      first += length;
    }
    expect(first).toBe(S);
  });

  it('refuses what does not fit', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, weight] = [scope.tensor([2, 3, 5]), scope.tensor([5, 1, 4])];
    const wrong = scope.tensor([5, 4]);
    expect(() => causalConv(scope, { x: scope.tensor([3, 5]), weight })).toThrow(/x must be \[B, S, D\].*got \[3,5\]/);
    expect(() => causalConv(scope, { x, weight: wrong })).toThrow(/weight must be \[5, 1, K\].*got \[5,4\]/);
    expect(() => causalConv(scope, { x, weight: scope.tensor([5, 1, 9]) })).toThrow(/at most 8 taps/);
    expect(() => causalConv(scope, { x, weight, state: wrong })).toThrow(/state must be \[2,3,5\], got \[5,4\]/);
    expect(() => causalConv(scope, { x, weight, nextState: wrong })).toThrow(/nextState must be \[2,3,5\]/);
    expect(() => causalConv(scope, { x, weight, bias: scope.tensor([4]) })).toThrow(/bias must be \[5\], got \[4\]/);
  });
});
