import { ShapeError } from '@xlstm/device';
import { Tape, Tensor } from '@xlstm/tensor';
import { compare, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { floats, SMALL, withScope } from '../testing/small-models.ts';
import { XLSTMBlockStack } from './block-stack.ts';

const { vocab_size: _, ...STACK } = SMALL;
const D = STACK.embedding_dim;

await describeDevices('XLSTMBlockStack', (device) => {
  const random = (B: number, S: number) => new Tensor(device.from('fp32', new Random(2).normals(B * S * D)), [B, S, D]);

  it('gives the same step by step', async () => {
    const stack = new XLSTMBlockStack(device, STACK, { seed: 3 });
    const x = random(2, 6);
    const state = stack.createState(2);
    const whole = await withScope(device, (scope) => floats(device, stack.forward(scope, x)));
    for (let at = 0; at < 6; at++) {
      const y = await withScope(device, (scope) => {
        const step = scope.tensor([2, 1, D]);
        for (let b = 0; b < 2; b++) device.copy(x.buffer, step.buffer, (b * 6 + at) * D, b * D, D);
        return floats(device, stack.step(scope, step, state));
      });
      const expected = [0, 1].flatMap((b) => [...whole.subarray((b * 6 + at) * D, (b * 6 + at + 1) * D)]);
      expect(compare(y, expected, { relativeRms: 1e-5, atol: 1e-5, rtol: 1e-4 })).toMatchObject({ pass: true });
    }
    state.dispose();
    stack.dispose();
  });

  it('is a backbone: gradients go through it into what is before', async () => {
    const stack = new XLSTMBlockStack(device, STACK, { seed: 3 });
    await withScope(device, async (_, arena) => {
      const tape = new Tape(arena, { parameters: stack.parameters() });
      const x = tape.watch(random(1, 5));
      stack.forward(tape, x, { recompute: true }).backward(random(1, 5));
      expect((await floats(device, tape.gradient(x))).some((value) => value !== 0)).toBe(true);
      tape.dispose();
    });
    stack.dispose();
  });

  it('refuses inputs of another shape and a state of another batch', async () => {
    const stack = new XLSTMBlockStack(device, STACK);
    const state = stack.createState();
    await withScope(device, async (scope) => {
      expect(() => stack.forward(scope, scope.tensor([2, 3, D + 1]))).toThrow(ShapeError);
      expect(() => stack.forward(scope, scope.tensor([2, 3, 9]))).toThrow(
        /XLSTMBlockStack\.forward: x must be \[B, S, 8\], got \[2,3,9\]/,
      );
      expect(() => stack.forward(scope, scope.tensor([3, D]))).toThrow(/x must be \[B, S, 8\], got \[3,8\]/);
      expect(() => stack.step(scope, scope.tensor([1, 2, D]), state)).toThrow(
        /step: x must be \[B, 1, 8\], got \[1,2,8\]; call forward/,
      );
      expect(() => stack.forward(scope, random(2, 3), { state })).toThrow(/state is of 1 sequences, got 2/);
    });
    state.dispose();
    stack.dispose();
  });
});
