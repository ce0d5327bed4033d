import { OptionError, ShapeError } from '@xlstm/device';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { evaluateWindows } from './evaluate-windows.ts';
import { evaluateLoss } from './prefill.ts';
import { randomModel } from './testing/random-model.ts';

const ids = Array.from({ length: 150 }, (_, at) => (at * 37 + ((at * at) % 13)) % 96);

await describeDevices('evaluateWindows', (device) => {
  it('is the loss of all logits in float64, past carried over the pieces', async () => {
    const model = await randomModel(device);
    const { nats, predictions } = await evaluateWindows(model, ids);
    expect(predictions).toBe(149);
    expect(nats / predictions).toBeCloseTo(await evaluateLoss(model, ids), 5);
    const before = device.liveBuffers();
    await evaluateWindows(model, ids);
    expect(device.liveBuffers()).toEqual(before);
    model.dispose();
  });

  it.each([
    [20, 7, 60],
    [20, 20, 60],
    [5, 1, 20],
    [100, 70, 150],
    [1000, 3, 100],
  ])('counts every prediction once in windows of %d that move on by %d, of %d ids', async (context, stride, length) => {
    const model = await randomModel(device);
    const short = ids.slice(0, length);
    let expected = 0;
    // Each prediction by itself: the sum over the window up to it, less that of the window up to the one before.
    const upTo = async (begin: number, end: number) =>
      end <= begin ? 0 : (await evaluateLoss(model, short.slice(begin, end + 1))) * (end - begin);
    for (let counted = 0; counted < length - 1; ) {
      const end = Math.min(length - 1, counted === 0 ? context : counted + stride);
      const begin = Math.max(0, end - context);
      expected += (await upTo(begin, end)) - (await upTo(begin, counted));
      counted = end;
    }
    const calls: [number, number][] = [];
    const onProgress = (done: number, total: number) => calls.push([done, total]);
    const { nats, predictions } = await evaluateWindows(model, short, { context, stride, onProgress });
    expect(predictions).toBe(length - 1);
    expect(Math.abs(nats - expected)).toBeLessThan(1e-3);
    expect(calls.at(-1)![0]).toBe(calls.at(-1)![1]);
    model.dispose();
  });

  it('ends on abort and leaves nothing behind', async () => {
    const model = await randomModel(device);
    await evaluateWindows(model, ids);
    const before = device.liveBuffers();
    const abort = new AbortController();
    const stopped = evaluateWindows(model, ids, {
      context: 10,
      signal: abort.signal,
      onProgress: () => abort.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(device.liveBuffers()).toEqual(before);
    model.dispose();
  });

  it('refuses what it cannot evaluate', async () => {
    const model = await randomModel(device);
    for (const few of [[], [1]]) await expect(evaluateWindows(model, few)).rejects.toThrow(ShapeError);
    await expect(evaluateWindows(model, [1, 96])).rejects.toThrow(/token ids must be integers in 0…95/);
    for (const [options, message] of [
      [{ context: 0 }, /context must be a positive integer, got 0/],
      [{ context: 8, stride: 1.5 }, /stride must be a positive integer, got 1.5/],
      [{ stride: 4 }, /give context too/],
      [{ context: 4, stride: 5 }, /stride must be at most context.*got stride 5, context 4/],
    ] as const) {
      await expect(evaluateWindows(model, ids, options)).rejects.toThrow(OptionError);
      await expect(evaluateWindows(model, ids, options)).rejects.toThrow(message);
    }
    model.dispose();
  });
});
