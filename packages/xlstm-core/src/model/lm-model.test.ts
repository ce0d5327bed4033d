import { Arena, type Device, DisposedError, GradientError, OptionError, ShapeError } from '@xlstm/device';
import { AdamW, Scope, Tape, Tensor } from '@xlstm/tensor';
import { compare } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { floats, gradientsOf, randomIds, randomModel, SMALL, withScope } from '../testing/small-models.ts';
import { XlstmCoreState } from './core-state.ts';
import { type LossOptions, XLSTMLMModel } from './lm-model.ts';

const CLOSE = { relativeRms: 1e-5, atol: 1e-5, rtol: 1e-4 };
const V = SMALL.vocab_size;

/** Steps `from`…`to` of `tokens [B, S]`. */
function part(device: Device, tokens: Tensor, from: number, to: number): Tensor {
  const [B, S] = tokens.shape as [number, number];
  const length = to - from;
  const buffer = device.alloc('i32', B * length);
  for (let b = 0; b < B; b++) device.copy(tokens.buffer, buffer, b * S + from, b * length, length);
  return new Tensor(buffer, [B, length]);
}

/** Logits of `tokens` read in pieces that end at `cuts`, as of the whole `[B, S, V]`. */
async function inPieces(model: XLSTMLMModel, tokens: Tensor, cuts: readonly number[]): Promise<Float32Array> {
  const { device } = model;
  const [B, S] = tokens.shape as [number, number];
  const whole = new Float32Array(B * S * V);
  const state = model.createState(B);
  let from = 0;
  for (const to of cuts) {
    await withScope(device, async (scope) => {
      const ids = part(device, tokens, from, to);
      const y = to - from === 1 ? model.step(scope, ids, state) : model.forward(scope, ids, { state });
      const logits = await floats(device, y);
      const width = (to - from) * V;
      for (let b = 0; b < B; b++) whole.set(logits.subarray(b * width, (b + 1) * width), (b * S + from) * V);
      ids.buffer.dispose();
    });
    from = to;
  }
  expect(state.position).toBe(S);
  state.dispose();
  return whole;
}

interface Pass {
  loss: number;
  gradients: Map<string, Float32Array>;
  /** Buffers of the state afterwards. */
  state: Float32Array[];
}

/** Loss and gradients of one pass on a tape, after the past in `carried` tokens. */
async function pass(
  model: XLSTMLMModel,
  tokens: Tensor,
  targets: Tensor,
  options: LossOptions & { carried?: Tensor } = {},
): Promise<Pass> {
  const { carried, ...rest } = options;
  const { device } = model;
  for (const { gradient } of model.parameters()) device.clear(gradient.buffer);
  return withScope(device, async (scope, arena) => {
    const state = carried && model.createState(tokens.shape[0]);
    if (carried) model.forward(scope, carried, { state });
    const tape = new Tape(arena, { parameters: model.parameters() });
    const loss = model.loss(tape, tokens, targets, { ...rest, state });
    loss.backward();
    const result = {
      loss: (await floats(device, loss))[0]!,
      gradients: await gradientsOf(model),
      state: [] as Float32Array[],
    };
    for (const { conv, cell } of state?.blocks ?? []) {
      result.state.push((await device.read(cell)) as Float32Array, await floats(device, conv!));
    }
    tape.dispose();
    state?.dispose();
    return result;
  });
}

const seedOf = (device: Device, seed: number, step: number) =>
  new Tensor(device.from('u32', Uint32Array.of(seed, step)), [2]);

await describeDevices('XLSTMLMModel', (device, kind) => {
  it('gives the same logits in one piece, step by step, and cut anywhere', async () => {
    const model = await randomModel(device);
    const tokens = randomIds(device, 2, 9);
    const whole = await withScope(device, (scope) => floats(device, model.forward(scope, tokens)));
    const steps = Array.from({ length: 9 }, (_, at) => at + 1);
    for (const cuts of [steps, [9], [4, 9], [1, 2, 7, 9]]) {
      expect(compare(await inPieces(model, tokens, cuts), whole, CLOSE), `${cuts}`).toMatchObject({ pass: true });
    }
    model.dispose();
  });

  it('gives the same gradients when blocks are computed a second time, also after a past that moves on', async () => {
    const model = await randomModel(device);
    const [tokens, targets, carried] = [1, 2, 3].map((seed) => randomIds(device, 2, 6, seed)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    for (const past of [{}, { carried }]) {
      const kept = await pass(model, tokens, targets, past);
      const again = await pass(model, tokens, targets, { ...past, recompute: true });
      expect(again).toEqual(kept);
      expect(kept.state).toHaveLength('carried' in past ? 4 : 0);
      expect([...kept.gradients].filter(([, gradient]) => gradient.every((value) => value === 0))).toEqual([]);
    }
    model.dispose();
  });

  it('drops nothing unless it is given a seed; the same seed and step drop the same', async () => {
    const dropout = { dropout: 0.4, add_embedding_dropout: true };
    const model = await randomModel(device, dropout);
    const without = await randomModel(device);
    const [tokens, targets] = [randomIds(device, 2, 6), randomIds(device, 2, 6, 2)];
    const plain = await pass(model, tokens, targets);
    expect(await pass(without, tokens, targets)).toEqual(plain);
    const first = await pass(model, tokens, targets, { dropout: seedOf(device, 1, 1) });
    expect(await pass(model, tokens, targets, { dropout: seedOf(device, 1, 1) })).toEqual(first);
    expect(await pass(model, tokens, targets, { dropout: seedOf(device, 1, 1), recompute: true })).toEqual(first);
    const losses = new Set([plain.loss, first.loss]);
    for (const [seed, step] of [
      [1, 2],
      [2, 1],
    ] as const) {
      losses.add((await pass(model, tokens, targets, { dropout: seedOf(device, seed, step) })).loss);
    }
    expect(losses.size).toBe(4);
    model.dispose();
    without.dispose();
  });

  it('draws the dropout of a replay from the seed and step that the device then holds', async () => {
    const model = await randomModel(device, { dropout: 0.4 });
    const [tokens, targets] = [randomIds(device, 2, 5), randomIds(device, 2, 5, 2)];
    const expected: Pass[] = [];
    for (const step of [1, 2]) {
      expected.push(await pass(model, tokens, targets, { dropout: seedOf(device, 9, step) }));
    }
    const arena = new Arena(device);
    const seed = seedOf(device, 0, 0);
    const kept = new Tensor(device.alloc('fp32', 1), [1]);
    const program = device.record(() => {
      for (const { gradient } of model.parameters()) device.clear(gradient.buffer);
      const tape = new Tape(arena, { parameters: model.parameters() });
      const loss = model.loss(tape, tokens, targets, { dropout: seed });
      loss.backward();
      device.copy(loss.buffer, kept.buffer);
      tape.dispose();
    }, 'step');
    for (const step of [2, 1, 2]) {
      device.upload(seed.buffer, Uint32Array.of(9, step));
      program.run();
      expect((await floats(device, kept))[0]).toBe(expected[step - 1]!.loss);
      expect(await gradientsOf(model)).toEqual(expected[step - 1]!.gradients);
    }
    expect(expected[0]!.loss).not.toBe(expected[1]!.loss);
    program.dispose();
    arena.dispose();
    model.dispose();
  });

  it('keeps as many buffers after many steps as after ten', async () => {
    const before = device.liveBuffers();
    const model = await randomModel(device);
    const optimizer = new AdamW(device, model.parameters(), { lr: 1e-3 });
    const arena = new Arena(device);
    const [tokens, targets] = [randomIds(device, 1, 4), randomIds(device, 1, 4, 2)];
    const step = () => {
      optimizer.zeroGradients();
      const tape = new Tape(arena, { parameters: model.parameters() });
      const loss = model.loss(tape, tokens, targets);
      loss.backward();
      optimizer.step();
      return tape;
    };
    for (let at = 0; at < 10; at++) step().dispose();
    await device.sync();
    const ten = device.liveBuffers();
    const steps = kind === 'cpu' ? 1000 : 40;
    for (let at = 10; at < steps; at++) {
      step().dispose();
      if (at % 20 === 0) await device.sync();
    }
    expect(device.liveBuffers()).toEqual(ten);
    optimizer.dispose();
    arena.dispose();
    model.dispose();
    tokens.buffer.dispose();
    targets.buffer.dispose();
    expect(device.liveBuffers()).toEqual(before);
  });

  it('forgets when a state is reset', async () => {
    const model = await randomModel(device);
    const tokens = randomIds(device, 1, 5);
    const state = model.createState();
    const read = () => withScope(device, (scope) => floats(device, model.forward(scope, tokens, { state })));
    const first = await read();
    expect(await read()).not.toEqual(first);
    state.reset();
    expect(state.position).toBe(0);
    expect(await read()).toEqual(first);
    state.dispose();
    model.dispose();
  });

  it('does not count targets that are ignored', async () => {
    const model = await randomModel(device);
    const tokens = randomIds(device, 1, 4);
    const loss = async (targets: number[], ignoreIndex?: number) => {
      const ids = new Tensor(device.from('i32', Int32Array.from(targets)), [1, 4]);
      return (await pass(model, tokens, ids, ignoreIndex === undefined ? {} : { ignoreIndex })).loss;
    };
    expect(await loss([1, -1, 3, -1])).toBeCloseTo(
      ((await loss([1, -1, -1, -1])) + (await loss([-1, -1, 3, -1]))) / 2,
      5,
    );
    expect(await loss([1, -7, 3, -7], -7)).toBe(await loss([1, -1, 3, -1]));
    model.dispose();
  });

  it('refuses what does not fit together, before anything is queued', async () => {
    const model = await randomModel(device);
    const tokens = randomIds(device, 2, 4);
    const state = model.createState(3);
    await withScope(device, async (scope, arena) => {
      expect(() => model.forward(scope, tokens, { state })).toThrow(ShapeError);
      expect(() => model.forward(scope, tokens, { state })).toThrow(
        /XLSTMLMModel\.forward: the state is of 3 sequences, got 2; create one of that batch/,
      );
      expect(() => model.forward(scope, tokens.reshape([8]))).toThrow(/forward: tokens must be \[B, S\], got \[8\]/);
      expect(() => model.step(scope, tokens, state)).toThrow(
        /step: tokens must be \[B, 1\], got \[2,4\]; call forward/,
      );
      expect(() => model.loss(scope, tokens, tokens.reshape([4, 2]))).toThrow(
        /loss: targets must be \[2,4\] as tokens, got \[4,2\]/,
      );
      const own = model.createState(2);
      const eight = device.from('fp32', new Float32Array(8));
      expect(() => model.loss(scope, tokens, new Tensor(eight, [2, 4]), { state: own })).toThrow(
        /XLSTMLMModel\.loss: targets must be i32, got fp32/,
      );
      expect(() => model.loss(scope, tokens, tokens, { state: own, ignoreIndex: 0.5 })).toThrow(
        /XLSTMLMModel\.loss: ignoreIndex must be a 32-bit integer, got 0.5/,
      );
      expect(() => model.forward(scope, tokens, { state: own, dropout: new Tensor(eight, [8]) })).toThrow(
        /XLSTMLMModel\.forward: dropout must be \[2\], got \[8\]/,
      );
      expect(() => model.forward(scope, tokens, { state: own, dropout: new Tensor(eight, [2]) })).toThrow(
        /XLSTMLMModel\.forward: dropout must be u32, got fp32/,
      );
      for (const other of [{ num_blocks: 1, slstm_at: [] }, { slstm_at: [0] }, { num_blocks: 3 }]) {
        const maker = new XLSTMLMModel(device, { ...SMALL, ...other });
        const foreign = maker.createState(2);
        expect(() => model.forward(scope, tokens, { state: foreign })).toThrow(
          /XLSTMLMModel\.forward: the state is of blocks .*, the model has mLSTM .*\| sLSTM .*; create it with/,
        );
        expect(foreign.position).toBe(0);
        foreign.dispose();
        maker.dispose();
      }
      expect(own.position).toBe(0);
      for (const { cell } of own.blocks) expect((await device.read(cell)).every((value) => value === 0)).toBe(true);
      own.dispose();
      expect(state.position).toBe(0);
      state.dispose();
      expect(() => model.forward(scope, tokens, { state })).toThrow(DisposedError);
      expect(() => state.reset()).toThrow(/the state was disposed; create a new one/);
      expect(() => model.createState(0)).toThrow(/batch must be a positive integer, got 0/);
      const plain = model.loss(scope, tokens, tokens);
      expect(() => plain.backward()).toThrow(GradientError);
      const tape = new Tape(arena, { parameters: model.parameters() });
      const loss = model.loss(tape, tokens, tokens);
      loss.backward();
      expect(() => loss.backward()).toThrow(/backward\(\) was called on this tape before/);
      tape.dispose();
    });
    model.dispose();
  });

  it('gives a state back when the device refuses a part of it', () => {
    const before = device.liveBuffers();
    const made = () => ({ conv: undefined, cell: device.alloc('fp32', 4), cellPlanes: [4] });
    const refuse = () => {
      throw new RangeError('no room');
    };
    expect(() => new XlstmCoreState(device, 1, '', [made, refuse])).toThrow('no room');
    expect(device.liveBuffers()).toEqual(before);
  });

  it('takes a seed: the same gives the same weights, another gives others', async () => {
    const weights = async (seed?: number) => {
      const model = new XLSTMLMModel(device, SMALL, seed === undefined ? {} : { seed });
      const read = await model.readWeights();
      model.dispose();
      return read;
    };
    expect(await weights(0)).toEqual(await weights());
    expect(await weights(1)).not.toEqual(await weights());
    expect(() => new XLSTMLMModel(device, SMALL, { seed: 0.5 })).toThrow(OptionError);
  });

  it('can be built with biases, without norms, convolution and feed-forward', async () => {
    for (const overrides of [
      { bias: true },
      { add_post_blocks_norm: false },
      { tie_weights: true },
      { slstm_block: { slstm: { num_heads: 2, conv1d_kernel_size: 0, group_norm_weight: false } } },
      { mlstm_block: { mlstm: { num_heads: 2, conv1d_kernel_size: 1, round_proj_up_to_multiple_of: 8 } } },
      { slstm_block: { slstm: { num_heads: 2 }, feedforward: { act_fn: 'swish', bias: true, dropout: 0.1 } } },
      { slstm_block: { slstm: { num_heads: 1, gradient_recurrent_cut: true, forward_clipval: 0.5 } } },
    ]) {
      const model = await randomModel(device, overrides);
      const tokens = randomIds(device, 1, 5);
      const { loss, gradients } = await pass(model, tokens, tokens);
      expect(loss).toBeGreaterThan(0);
      expect([...gradients.values()].every((each) => each.every(Number.isFinite))).toBe(true);
      const whole = await withScope(device, (scope) => floats(device, model.forward(scope, tokens)));
      const cut = await inPieces(model, tokens, [2, 3, 5]);
      expect(compare(cut, whole, CLOSE), JSON.stringify(overrides)).toMatchObject({ pass: true });
      model.dispose();
    }
  });

  it('leaves nothing behind', async () => {
    const before = device.liveBuffers();
    const model = await randomModel(device);
    const state = model.createState(2);
    const arena = new Arena(device);
    const scope = new Scope(arena);
    const tokens = randomIds(device, 2, 3);
    model.forward(scope, tokens, { state });
    model.parameters();
    for (const each of [scope, arena, state, model, tokens.buffer]) each.dispose();
    expect(device.liveBuffers()).toEqual(before);
  });
});
