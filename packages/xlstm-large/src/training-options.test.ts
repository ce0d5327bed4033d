import { Arena, type Device } from '@xlstm/device';
import { Scope, Tape, Tensor } from '@xlstm/tensor';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import type { TrainingForwardOptions, XLSTMLarge } from './model.ts';
import { randomModel } from './testing/random-model.ts';

const RESET = 5;
const BEFORE = [7, 3, 9, 11];
const AFTER = [RESET, 2, 8, 4, 6];

async function hidden(
  model: XLSTMLarge,
  ids: readonly number[],
  options: TrainingForwardOptions = {},
): Promise<Float32Array> {
  const { device } = model;
  const arena = new Arena(device);
  const tokens = new Tensor(device.from('i32', Int32Array.from(ids)), [1, ids.length]);
  const y = model.forward(new Scope(arena), tokens, undefined, options);
  const data = (await device.read(y.buffer)) as Float32Array;
  arena.dispose();
  tokens.buffer.dispose();
  return data;
}

async function gradients(device: Device, model: XLSTMLarge, ids: readonly number[], options: TrainingForwardOptions) {
  const arena = new Arena(device);
  const tensor = (values: readonly number[]) =>
    new Tensor(device.from('i32', Int32Array.from(values)), [1, values.length]);
  for (const { gradient } of model.parameters()) device.clear(gradient.buffer);
  const tape = new Tape(arena, { parameters: model.parameters() });
  // Only what follows the reset is learned.
  const targets = ids.map((_, at) => (at < BEFORE.length ? -1 : (ids[at + 1] ?? 1)));
  model.loss(tape, tensor(ids), tensor(targets), options).backward();
  tape.dispose();
  const embedding = model.parameters().find(({ name }) => name === 'embedding')!;
  return (await device.read(embedding.gradient.buffer)) as Float32Array;
}

await describeDevices('training options', (device) => {
  it('forgets everything where the reset token stands, and lets no gradient through', async () => {
    const model = await randomModel(device);
    const D = model.config.embeddingDim;
    const together = await hidden(model, [...BEFORE, ...AFTER], { resetToken: RESET });
    const alone = await hidden(model, AFTER);
    const kept = await hidden(model, [...BEFORE, ...AFTER]);
    const tail = together.slice(BEFORE.length * D);
    for (const [at, value] of alone.entries()) expect(tail[at], `element ${at}`).toBeCloseTo(value, 4);
    expect(kept.slice(BEFORE.length * D).some((value, at) => Math.abs(value - alone[at]!) > 1e-2)).toBe(true);
    const through = await gradients(device, model, [...BEFORE, ...AFTER], { resetToken: RESET });
    const open = await gradients(device, model, [...BEFORE, ...AFTER], {});
    const largest = (values: Float32Array, id: number) => Math.max(...values.slice(id * D, (id + 1) * D).map(Math.abs));
    for (const id of BEFORE) {
      // What remains is rounding.
      expect(largest(open, id)).toBeGreaterThan(1e-4);
      expect(largest(through, id)).toBeLessThan(1e-4 * largest(open, id));
    }
    model.dispose();
  });

  it('drops by seed and step, the same again for the same pair, and nothing by default', async () => {
    const model = await randomModel(device);
    const seed = (step: number) => new Tensor(device.from('u32', Uint32Array.of(3, step)), [2]);
    const dropped = await hidden(model, AFTER, { dropout: { p: 0.3, seed: seed(1) } });
    expect(await hidden(model, AFTER, { dropout: { p: 0.3, seed: seed(1) } })).toEqual(dropped);
    expect(await hidden(model, AFTER, { dropout: { p: 0.3, seed: seed(2) } })).not.toEqual(dropped);
    expect(await hidden(model, AFTER, { dropout: { p: 0, seed: seed(1) } })).toEqual(await hidden(model, AFTER));
    model.dispose();
  });
});
