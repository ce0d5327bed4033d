import {
  createCpuDevice,
  createWebGpuDevice,
  DeviceLostError,
  OptionError,
  StateError,
  type WebGpuDevice,
} from '@xlstm/device';
import { isRequired, offerSoftwareAdapter } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { describe, expect, it, type TestContext } from 'vitest';
import { type GenerateOutcome, type GenerateTokensOptions, generateTokens } from './generate.ts';
import { lastLogits, type XLSTMLarge } from './model.ts';
import { pieceLength, prefill } from './prefill.ts';
import type { XlstmState } from './state.ts';
import { randomModel } from './testing/random-model.ts';

async function collect(model: XLSTMLarge, options: GenerateTokensOptions): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of generateTokens(model, { eosTokenIds: [], ...options })) ids.push(id);
  return ids;
}

const argmax = (row: Float32Array) => row.indexOf(row.reduce((most, value) => Math.max(most, value)));

await describeDevices('generateTokens', (device, kind) => {
  it('follows the argmax at temperature 0', async () => {
    const model = await randomModel(device);
    const prompt = [0, 5, 9, 33];
    const ids = await collect(model, { promptIds: prompt, maxNewTokens: 6, temperature: 0 });
    const state = model.createState();
    await prefill(model, [prompt], state);
    for (const id of ids) {
      const logits = (await device.read(lastLogits(state).buffer)) as Float32Array;
      expect(id).toBe(argmax(logits));
      await prefill(model, [[id]], state);
    }
    state.dispose();
    model.dispose();
  });

  it('repeats itself with a seed and not with another', async () => {
    const model = await randomModel(device);
    const options = { promptIds: [0, 3], maxNewTokens: 16, temperature: 1.2, topK: 40, topP: 0.95 };
    const first = await collect(model, { ...options, seed: 11 });
    expect(await collect(model, { ...options, seed: 11 })).toEqual(first);
    expect(await collect(model, { ...options, seed: 12 })).not.toEqual(first);
    model.dispose();
  });

  it('tells how it ended, and the seed that it drew', async () => {
    const model = await randomModel(device);
    const ends: GenerateOutcome[] = [];
    const options = { promptIds: [0, 3], maxNewTokens: 5, onEnd: (end: GenerateOutcome) => ends.push(end) };
    const drawn = await collect(model, options);
    expect(ends[0]).toMatchObject({ finishReason: 'length', timings: { promptTokens: 2, newTokens: 5 } });
    expect(await collect(model, { ...options, seed: ends[0]!.seed })).toEqual(drawn);
    const [end] = await collect(model, { ...options, temperature: 0 });
    const stopped = await collect(model, { ...options, temperature: 0, eosTokenIds: [end!] });
    expect(stopped).toEqual([end]);
    expect(ends.at(-1)).toMatchObject({ finishReason: 'stop', timings: { newTokens: 1 } });
    model.dispose();
  });

  it('goes on from a state as if it had never stopped', async () => {
    const model = await randomModel(device);
    const whole = await collect(model, { promptIds: [0, 7, 7], maxNewTokens: 12, temperature: 0 });
    const state = model.createState();
    const first = await collect(model, { promptIds: [0, 7, 7], maxNewTokens: 5, temperature: 0, state });
    expect(state.position).toBe(8);
    const rest = await collect(model, { promptIds: [], maxNewTokens: 7, temperature: 0, state });
    expect([...first, ...rest]).toEqual(whole);
    state.dispose();
    model.dispose();
  });

  it('leaves the state at the last token that was yielded, after a break and after an abort', async () => {
    const model = await randomModel(device);
    const whole = await collect(model, { promptIds: [0, 7], maxNewTokens: 8, temperature: 0 });
    for (const leave of ['break', 'abort'] as const) {
      const state = model.createState();
      const abort = new AbortController();
      const got: number[] = [];
      const run = async () => {
        const options = { promptIds: [0, 7], maxNewTokens: 8, temperature: 0, eosTokenIds: [], state };
        for await (const { id } of generateTokens(model, { ...options, signal: abort.signal })) {
          got.push(id);
          if (got.length === 3 && leave === 'break') break;
          if (got.length === 3) abort.abort(new Error('enough'));
        }
      };
      if (leave === 'break') await run();
      else await expect(run()).rejects.toThrow('enough');
      expect(state.position).toBe(5);
      const rest = await collect(model, { promptIds: [], maxNewTokens: 5, temperature: 0, state });
      expect([...got, ...rest]).toEqual(whole);
      state.dispose();
    }
    model.dispose();
  });

  it('penalises repetition', async () => {
    const model = await randomModel(device);
    const options = { promptIds: [0, 3], maxNewTokens: 24, temperature: 0 };
    const plain = new Set(await collect(model, options));
    const penalised = new Set(await collect(model, { ...options, repetitionPenalty: 50 }));
    expect(penalised.size).toBeGreaterThanOrEqual(plain.size);
    expect(penalised.size).toBeGreaterThan(20);
    model.dispose();
  });

  it('leaves no buffer behind over many generations, a third of them aborted or broken off', async () => {
    const model = await randomModel(device);
    await collect(model, { promptIds: [0], maxNewTokens: 2 });
    const before = device.liveBuffers();
    for (let round = 0; round < (kind === 'cpu' ? 500 : 60); round++) {
      const abort = new AbortController();
      try {
        let count = 0;
        const options = { promptIds: [0, round % 96], maxNewTokens: 4, eosTokenIds: [], signal: abort.signal };
        for await (const _ of generateTokens(model, options)) {
          count++;
          if (round % 6 === 0 && count === 2) break;
          if (round % 6 === 3 && count === 2) abort.abort();
        }
      } catch (error) {
        expect((error as Error).name).toBe('AbortError');
      }
    }
    expect(device.liveBuffers()).toEqual(before);
    model.dispose();
  }, 300_000);

  it('refuses bad options before anything is computed', async () => {
    const model = await randomModel(device);
    const before = device.liveBuffers();
    const cases: [Partial<GenerateTokensOptions>, RegExp][] = [
      [{ topP: 0 }, /topP/],
      [{ topP: 2 }, /topP/],
      [{ temperature: -1 }, /temperature/],
      [{ temperature: Number.NaN }, /temperature/],
      [{ topK: 1.5 }, /topK/],
      [{ minP: 1.5 }, /minP/],
      [{ repetitionPenalty: 0 }, /repetitionPenalty/],
      [{ maxNewTokens: -1 }, /maxNewTokens/],
      [{ maxNewTokens: 1e99 }, /maxNewTokens/],
      [{ eosTokenIds: ['a'] as never }, /eosTokenIds must be a list of token ids below 96, got \["a"\]/],
      [{ eosTokenIds: 5 as never }, /eosTokenIds/],
      [{ signal: 5 as never }, /signal must be an AbortSignal, got 5/],
      [{ onPrefill: 5 as never }, /onPrefill must be a function/],
      [{ promptIds: null as never }, /the prompt must be text or a list of token ids, got null/],
      [{ promptIds: [] }, /prompt has no tokens; begin with the BOS id/],
      [{ promptIds: [0, 96] }, /0…95, got 96/],
    ];
    for (const [options, message] of cases) {
      const run = collect(model, { promptIds: [0], maxNewTokens: 2, ...options });
      await expect(run).rejects.toThrow(OptionError);
      await expect(collect(model, { promptIds: [0], maxNewTokens: 2, ...options })).rejects.toThrow(message);
    }
    const aborted = AbortSignal.abort(new Error('before it began'));
    await expect(collect(model, { promptIds: [0], signal: aborted })).rejects.toThrow('before it began');
    expect(device.liveBuffers()).toEqual(before);
    model.dispose();
  });

  it('refuses a state of another model, of another device, and what is no state', async () => {
    const model = await randomModel(device);
    // Shapes alone would not tell: what a model remembers means nothing to another one.
    const tuned = await randomModel(device, { seed: 2 });
    const elsewhere = await randomModel(createCpuDevice());
    const strangers: [XlstmState, RegExp][] = [
      [tuned.createState(), /state is of model [0-9a-f]{16}, this model is [0-9a-f]{16}/],
      [elsewhere.createState(), /on another device than the model; .*importState\(await state.export\(\)\)/],
    ];
    for (const [state, message] of strangers) {
      state.position = 4;
      for (const promptIds of [[0], []]) {
        await expect(collect(model, { promptIds, state })).rejects.toThrow(StateError);
        await expect(collect(model, { promptIds, state })).rejects.toThrow(message);
      }
      await expect(prefill(model, [[0]], state)).rejects.toThrow(message);
      expect(state.position).toBe(4);
    }
    await expect(collect(model, { promptIds: [0], state: {} as never })).rejects.toThrow(/model.createState\(\)/);
    const twin = await randomModel(device);
    const state = twin.createState();
    expect(await collect(model, { promptIds: [0], maxNewTokens: 1, state })).toHaveLength(1);
    for (const each of [model, tuned, elsewhere, twin]) each.dispose();
  });

  it('refuses a second generation on a state in use', async () => {
    const model = await randomModel(device);
    const state = model.createState();
    const first = generateTokens(model, { promptIds: [0], maxNewTokens: 3, state });
    await first.next();
    await expect(collect(model, { promptIds: [0], state })).rejects.toThrow(/state is in use by generate/);
    await first.return();
    await collect(model, { promptIds: [4], maxNewTokens: 1, state });
    state.dispose();
    await expect(collect(model, { promptIds: [0], state })).rejects.toThrow(/state was disposed/);
    model.dispose();
  });
});

/** A device that may be lost; a visible skip where there is none. */
async function ownDevice(context: TestContext): Promise<WebGpuDevice> {
  offerSoftwareAdapter();
  try {
    return await createWebGpuDevice();
  } catch (error) {
    if (isRequired('webgpu')) throw error;
    return context.skip(`webgpu is not there: ${(error as Error).message}`);
  }
}

describe('a device lost in mid-generation', () => {
  it('ends the generation with a DeviceLostError', async (context) => {
    const device = await ownDevice(context);
    const model = await randomModel(device);
    const ids: number[] = [];
    const run = async () => {
      for await (const { id } of generateTokens(model, { promptIds: [0, 1], maxNewTokens: 50, eosTokenIds: [] })) {
        ids.push(id);
        if (ids.length === 4) device.gpu.destroy();
      }
    };
    await expect(run()).rejects.toThrow(DeviceLostError);
    expect(ids.length).toBeGreaterThanOrEqual(4);
    expect(ids.length).toBeLessThan(50);
    await expect(collect(model, { promptIds: [0] })).rejects.toThrow(DeviceLostError);
    model.dispose();
    expect(device.liveBuffers().count).toBe(0);
  });
});

describe('a prefill that does not come to its end', () => {
  const ids = Array.from({ length: 1100 }, (_, at) => (11 * at) % 90);

  // The first of three pieces of 512 tokens is read, the second is not.
  it.for(['between two pieces', 'while a piece is queued'] as const)(
    'by the loss of the device %s: the state says how far it was, and nothing hangs',
    async (when, context) => {
      const device = await ownDevice(context);
      const model = await randomModel(device);
      const state = model.createState();
      const onProgress = () => {
        if (when === 'between two pieces') device.gpu.destroy();
        // Not before the next piece is on its way.
        else queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => device.gpu.destroy())));
      };
      const seen: number[] = [];
      const reading = prefill(model, [ids], state, {
        onProgress: (done) => {
          seen.push(done);
          if (done === 512) onProgress();
        },
      });
      await expect(reading).rejects.toThrow(DeviceLostError);
      expect(seen).toEqual([512]);
      expect(state.position).toBe(512);
      await expect(state.export()).rejects.toThrow(DeviceLostError);
      await expect(prefill(model, [[1]], state)).rejects.toThrow(DeviceLostError);
      expect(state.position).toBe(512);
      model.dispose();
      expect(device.liveBuffers().count).toBe(0);
      device.dispose();
    },
  );
});

await describeDevices('an abort between two pieces of a prompt', (device) => {
  it('leaves position and logits at the end of the last piece', async () => {
    const model = await randomModel(device);
    const piece = pieceLength(device);
    const ids = Array.from({ length: 2 * piece + 3 }, (_, at) => (11 * at) % 90);
    const abort = new AbortController();
    const state = model.createState();
    const onProgress = () => abort.abort(new Error('enough'));
    await expect(prefill(model, [ids], state, { signal: abort.signal, onProgress })).rejects.toThrow('enough');
    const wanted = model.createState();
    await prefill(model, [ids.slice(0, piece)], wanted);
    expect(state.position).toBe(piece);
    expect(await device.read(state.logits)).toEqual(await device.read(wanted.logits));
    // It goes on as if nothing had been.
    await prefill(model, [ids.slice(piece)], state);
    await prefill(model, [ids.slice(piece)], wanted);
    expect(await device.read(state.logits)).toEqual(await device.read(wanted.logits));
    model.dispose();
  });
});
