import { Arena, type Device, DtypeError, NumericsError, OptionError, ShapeError } from '@xlstm/device';
import { AdamW, Tape, Tensor } from '@xlstm/tensor';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { newXlstmLarge } from './initialise.ts';
import type { XLSTMLarge } from './model.ts';
import { readWeights } from './read-weights.ts';
import { randomModel, tinyConfig } from './testing/random-model.ts';
import { TrainingStep, type TrainingStepOptions } from './training-step.ts';

const OPTIONS: TrainingStepOptions = { batch: 2, length: 8, lr: 3e-3, weightDecay: 0.1, maxGradNorm: 0.5 };
const SMALL = { hidden_size: 16, vocab_size: 24, ffn_proj_factor: 1, ffn_round_up_to_multiple_of: 8 };
const V = 24;

/** Ids that a model can learn: each follows from the one before. */
function batch(seed: number): { tokens: Int32Array; targets: Int32Array } {
  const id = (row: number, at: number) => (7 * row + 5 * seed + 3 * at) % V;
  const ids = (shift: number) => Int32Array.from({ length: 16 }, (_, at) => id(at >> 3, (at & 7) + shift));
  return { tokens: ids(0), targets: ids(1) };
}

async function weightsOf(model: XLSTMLarge): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for await (const { name, data } of readWeights(model)) weights.set(name, data);
  return weights;
}

const newModel = (device: Device, overrides: Record<string, unknown> = {}) =>
  newXlstmLarge(device, tinyConfig({ ...SMALL, ...overrides }), { seed: 1 });

/** Steps as they are without a recording. */
async function eager(model: XLSTMLarge, steps: number): Promise<{ losses: number[]; norms: number[] }> {
  const { device } = model;
  const { batch: B, length: S, ...adamw } = OPTIONS;
  const arena = new Arena(device);
  const optimizer = new AdamW(device, model.parameters(), adamw);
  const [losses, norms]: [number[], number[]] = [[], []];
  for (let at = 0; at < steps; at++) {
    const { tokens, targets } = batch(at);
    const upload = (ids: Int32Array) => new Tensor(device.from('i32', ids), [B, S]);
    optimizer.zeroGradients();
    const tape = new Tape(arena, { parameters: model.parameters() });
    const loss = model.loss(tape, upload(tokens), upload(targets));
    loss.backward();
    losses.push((await device.read(loss.buffer))[0]!);
    tape.dispose();
    optimizer.step();
    norms.push(await optimizer.gradientNorm());
  }
  optimizer.dispose();
  arena.dispose();
  return { losses, norms };
}

await describeDevices('TrainingStep', (device, kind) => {
  it('replays what the same calls do one by one, bit for bit', async () => {
    const [a, b] = [await newModel(device), await newModel(device)];
    const expected = await eager(a, 4);
    const step = new TrainingStep(b, OPTIONS);
    const [losses, norms]: [number[], number[]] = [[], []];
    for (let at = 0; at < 4; at++) {
      const { tokens, targets } = batch(at);
      step.run(tokens, targets);
      losses.push(await step.loss());
      norms.push(await step.gradientNorm());
    }
    expect({ losses, norms }).toEqual(expected);
    expect(await weightsOf(b)).toEqual(await weightsOf(a));
    step.dispose();
    a.dispose();
    b.dispose();
  });

  it('learns, and keeps as many buffers after many steps as after ten', async () => {
    const before = device.liveBuffers();
    const model = await newModel(device);
    const step = new TrainingStep(model, OPTIONS);
    const steps = kind === 'cpu' ? 1000 : 60;
    const losses: number[] = [];
    let ten: unknown;
    for (let at = 0; at < steps; at++) {
      const { tokens, targets } = batch(at % 3);
      step.run(tokens, targets);
      if (at === 9) {
        await device.sync();
        ten = device.liveBuffers();
      }
      if (at % 10 === 0) losses.push(await step.loss());
    }
    await device.sync();
    expect(device.liveBuffers()).toEqual(ten);
    expect(losses[0]).toBeCloseTo(Math.log(V), 0);
    expect(losses.at(-1)).toBeLessThan(0.6 * losses[0]!);
    step.dispose();
    model.dispose();
    expect(device.liveBuffers()).toEqual(before);
  });

  it('makes the same step where blocks are computed twice, and keeps little more than the input of each', async () => {
    const run = async (blocks: number, recompute: boolean) => {
      const model = await newModel(device, { num_hidden_layers: blocks });
      const step = new TrainingStep(model, { ...OPTIONS, recompute });
      const { bytes } = device.liveBuffers().byOwner['training step']!;
      const { tokens, targets } = batch(0);
      step.run(tokens, targets);
      const result = { loss: await step.loss(), norm: await step.gradientNorm(), weights: await weightsOf(model) };
      step.dispose();
      model.dispose();
      return { bytes, result };
    };
    const ofOneBlock: number[] = [];
    const results: unknown[] = [];
    for (const recompute of [false, true]) {
      const [two, four] = [await run(2, recompute), await run(4, recompute)];
      ofOneBlock.push((four.bytes - two.bytes) / 2);
      results.push(four.result);
    }
    expect(results[1]).toEqual(results[0]);
    const [kept, again] = ofOneBlock as [number, number];
    const input = 4 * 2 * 8 * SMALL.hidden_size;
    expect(again).toBeGreaterThanOrEqual(input);
    expect(again).toBeLessThanOrEqual(2 * input);
    expect(kept).toBeGreaterThan(8 * again);
  });

  it('changes nothing where a weight is NaN, and names the tensor and the operation', async () => {
    const model = await newModel(device);
    const step = new TrainingStep(model, { ...OPTIONS, detectAnomalies: true });
    const { tokens, targets } = batch(0);
    step.run(tokens, targets);
    expect(await step.firstAnomaly()).toBeUndefined();
    expect(await step.gradientNorm()).toBeGreaterThan(0);

    const down = model.weights.get('blocks.1.down').buffer;
    device.upload(down, Float32Array.of(Number.NaN), 5);
    const before = await weightsOf(model);
    step.run(tokens, targets);
    await expect(step.gradientNorm()).rejects.toThrow(NumericsError);
    await expect(step.gradientNorm()).rejects.toThrow(/gradient of "embedding" is not finite.*changed nothing/);
    expect(await step.firstAnomaly()).toMatchObject({ operation: 'linear', parameters: ['blocks.1.down'] });
    expect(await weightsOf(model)).toEqual(before);

    device.upload(down, Float32Array.of(0.01), 5);
    step.run(tokens, targets);
    expect(await step.gradientNorm()).toBeGreaterThan(0);
    expect(await weightsOf(model)).not.toEqual(before);
    step.dispose();
    model.dispose();
  });

  it('refuses batches that do not fit, before anything is changed', async () => {
    const model = await newModel(device);
    const step = new TrainingStep(model, OPTIONS);
    const before = await weightsOf(model);
    const { tokens, targets } = batch(0);
    const changed = (ids: Int32Array, at: number, id: number) => {
      const copy = ids.slice();
      copy[at] = id;
      return copy;
    };
    expect(() => step.run(tokens.subarray(1), targets)).toThrow(ShapeError);
    expect(() => step.run(tokens, targets.subarray(1))).toThrow(/targets must be \[2,8\] ids, got 15/);
    for (const id of [-1, V]) {
      expect(() => step.run(changed(tokens, 3, id), targets)).toThrow(OptionError);
      expect(() => step.run(changed(tokens, 3, id), targets)).toThrow(
        `TrainingStep.run: token 3 must be in 0…23, got ${id}`,
      );
    }
    expect(() => step.run(tokens, changed(targets, 2, V))).toThrow(/target 2 must be in 0…23 or -1 .*got 24/);
    expect(() => step.run(tokens, targets, { lr: Number.NaN })).toThrow(/lr must be a finite number/);
    expect(step.optimizer.stepCount).toBe(0);
    expect(await weightsOf(model)).toEqual(before);
    step.run(tokens, changed(targets, 2, -1));
    expect(step.optimizer.stepCount).toBe(1);
    await expect(step.firstAnomaly()).rejects.toThrow(/make the step with detectAnomalies: true/);
    step.dispose();
    model.dispose();
  });

  it('refuses options out of range and weights that were rounded, and keeps no buffer then', async () => {
    const model = await newModel(device);
    model.parameters();
    const rounded = await randomModel(device, { dtype: 'bf16' });
    const before = device.liveBuffers();
    const make = (options: Partial<TrainingStepOptions>, of = model) =>
      new TrainingStep(of, { ...OPTIONS, ...options });
    expect(() => make({ batch: 0 })).toThrow(/batch must be a positive integer, got 0/);
    expect(() => make({ length: 1.5 })).toThrow(/length must be a positive integer, got 1\.5/);
    expect(() => make({ lr: -1 })).toThrow(OptionError);
    expect(() => make({ ignoreIndex: 0.5 })).toThrow(/ignoreIndex must be a 32-bit integer/);
    expect(() => make({}, rounded)).toThrow(DtypeError);
    expect(() => make({}, rounded)).toThrow(
      /training needs fp32 weights, these are bf16; load the model with dtype fp32/,
    );
    expect(device.liveBuffers()).toEqual(before);
    model.dispose();
    rounded.dispose();
  });
});
