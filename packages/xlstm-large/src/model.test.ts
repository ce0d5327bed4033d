import { Arena, type Device, ShapeError } from '@xlstm/device';
import { Scope, Tensor } from '@xlstm/tensor';
import { compare, FLOAT32 } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { lastLogits, type XLSTMLarge } from './model.ts';
import { evaluateLoss, forwardLogits, prefill } from './prefill.ts';
import type { XlstmState } from './state.ts';
import { randomModel, tinyConfig } from './testing/random-model.ts';

const ids = (length: number, seed = 3) =>
  Array.from({ length }, (_, at) => (at * 37 + seed * 11 + ((at * at) % 13)) % 96);

async function allLogits(model: XLSTMLarge, rows: number[][], state: XlstmState): Promise<Float32Array[]> {
  const pieces: Float32Array[] = [];
  for await (const { logits } of forwardLogits(model, rows, state)) pieces.push(logits);
  return pieces;
}

const read = async (device: Device, state: XlstmState) => (await device.read(lastLogits(state).buffer)) as Float32Array;

await describeDevices('XLSTMLarge', (device) => {
  it('gives the same logits in one piece, step by step, and cut anywhere', async () => {
    const model = await randomModel(device);
    const tokens = ids(21);
    const [whole, steps, cut] = [model.createState(), model.createState(), model.createState()];
    await prefill(model, [tokens], whole);
    for (const id of tokens) await prefill(model, [[id]], steps);
    await prefill(model, [tokens.slice(0, 8)], cut);
    await prefill(model, [tokens.slice(8)], cut);
    const expected = await read(device, whole);
    const tolerance = { relativeRms: 1e-5, atol: 1e-4, rtol: 1e-4 };
    expect(compare(await read(device, steps), expected, tolerance)).toMatchObject({ pass: true });
    expect(compare(await read(device, cut), expected, tolerance)).toMatchObject({ pass: true });
    expect([whole.position, steps.position, cut.position]).toEqual([21, 21, 21]);
    for (const state of [whole, steps, cut]) state.dispose();
    model.dispose();
  });

  it('treats the sequences of a batch independently', async () => {
    const model = await randomModel(device);
    const rows = [ids(19, 1), ids(19, 2), ids(19, 5)];
    const batch = model.createState(3);
    const [together] = await allLogits(model, rows, batch);
    for (const [b, row] of rows.entries()) {
      const state = model.createState();
      const [alone] = await allLogits(model, [row], state);
      const part = together!.subarray(b * alone!.length, (b + 1) * alone!.length);
      expect(compare(part, alone!, { ...FLOAT32, relativeRms: 1e-5, atol: 1e-4 })).toMatchObject({ pass: true });
      state.dispose();
    }
    batch.dispose();
    model.dispose();
  });

  it.each(['bf16', 'fp16'] as const)('keeps its predictions in %s to the precision of the weights', async (dtype) => {
    const [full, half] = [await randomModel(device), await randomModel(device, { dtype })];
    const tokens = ids(40);
    const exact = await evaluateLoss(full, tokens);
    expect(Math.abs((await evaluateLoss(half, tokens)) - exact)).toBeLessThan(dtype === 'bf16' ? 0.1 : 0.02);
    full.dispose();
    half.dispose();
  });

  it('runs with biases, sigmoid gates, without an output norm, and with a tied head', async () => {
    for (const overrides of [
      { use_bias: true },
      { chunkwise_kernel: 'chunkwise--triton_xl_chunk_siging' },
      { add_out_norm: false },
      { tie_word_embeddings: true },
    ]) {
      const model = await randomModel(device, { config: tinyConfig(overrides) });
      expect(await evaluateLoss(model, ids(20))).toBeGreaterThan(0);
      model.dispose();
    }
  });

  it('copies and restores states', async () => {
    const model = await randomModel(device);
    const state = model.createState();
    await prefill(model, [ids(9)], state);
    const fork = state.clone();
    await prefill(model, [ids(5, 8)], state);
    const other = model.createState();
    for (let block = 0; block < 2; block++) other.writeBlock(block, await fork.readBlock(block));
    await prefill(model, [ids(5, 8)], fork);
    await prefill(model, [ids(5, 8)], other);
    const expected = await read(device, state);
    expect(await read(device, fork)).toEqual(expected);
    expect(await read(device, other)).toEqual(expected);
    expect(() =>
      fork.writeBlock(0, { c: new Float32Array(1), n: new Float32Array(1), m: new Float32Array(1) }),
    ).toThrow(ShapeError);
    expect(() =>
      fork.writeBlock(7, { c: new Float32Array(1), n: new Float32Array(1), m: new Float32Array(1) }),
    ).toThrow(/block must be 0…1, got 7/);
    for (const one of [state, fork, other]) one.dispose();
    model.dispose();
  });

  it('leaves no buffer behind', async () => {
    const before = device.liveBuffers();
    const model = await randomModel(device);
    await evaluateLoss(model, ids(70));
    model.dispose();
    expect(device.liveBuffers()).toEqual(before);
  });

  it('refuses tokens that do not go with the state', async () => {
    const model = await randomModel(device);
    const state = model.createState(2);
    const arena = new Arena(device);
    const tokens = new Tensor(arena.alloc('i32', 4), [1, 4]);
    expect(() => model.forward(new Scope(arena), tokens, state)).toThrow(/tokens must be \[2, S\].*got \[1,4\]/);
    await expect(prefill(model, [[1, 2]], state)).rejects.toThrow(/1 rows for a state of batch 2/);
    await expect(prefill(model, [[1, 2], [3]], state)).rejects.toThrow(/one length, got 2 and 1/);
    for (const bad of [96, -1, 1.5, Number.NaN]) {
      await expect(
        prefill(
          model,
          [
            [1, bad],
            [1, 1],
          ],
          state,
        ),
      ).rejects.toThrow(/token ids must be integers in 0…95/);
    }
    expect(state.position).toBe(0);
    arena.dispose();
    state.dispose();
    model.dispose();
  });
});
