import {
  createCpuDevice,
  createWebGpuDevice,
  DeviceLostError,
  OptionError,
  OutOfMemoryError,
  StateError,
} from '@xlstm/device';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it, vi } from 'vitest';
import { type GenerateOutcome, generateTokens } from '../generate.ts';
import type { TokenLogprobs } from '../logprobs.ts';
import type { XLSTMLarge } from '../model.ts';
import { randomModel, tinyConfig } from '../testing/random-model.ts';
import { generateBatch } from './batch-generate.ts';
import type { BatchEvent, BatchRequest, GenerateBatchOptions } from './batch-requests.ts';
import { recordedStep } from './recorded-step.ts';

interface Whole {
  ids: number[];
  outcome: GenerateOutcome | undefined;
}

async function alone(model: XLSTMLarge, request: BatchRequest): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of generateTokens(model, { ...request })) ids.push(id);
  return ids;
}

/** Runs a batch; `onEvent` may end it by returning true. */
async function together(
  model: XLSTMLarge,
  requests: readonly BatchRequest[],
  options: GenerateBatchOptions = {},
  onEvent: (event: BatchEvent, count: number) => unknown = () => false,
): Promise<Whole[]> {
  const results: Whole[] = requests.map(() => ({ ids: [], outcome: undefined }));
  let count = 0;
  for await (const event of generateBatch(model, requests, options)) {
    const result = results[event.index]!;
    expect(result.outcome, 'nothing comes after an end').toBeUndefined();
    if (event.type === 'token') result.ids.push(event.id);
    else result.outcome = event.outcome;
    count++;
    if (onEvent(event, count) === true) break;
  }
  return results;
}

const reasons = (results: readonly Whole[]) => results.map(({ outcome }) => outcome?.finishReason);

/** Prompts of different lengths, each sampled in its own way, which end at different times. */
const MIXED: BatchRequest[] = [
  { promptIds: [0, 5, 9, 33], maxNewTokens: 9, temperature: 0, eosTokenIds: [] },
  { promptIds: [0], maxNewTokens: 4, temperature: 1.3, topK: 40, seed: 11, eosTokenIds: [] },
  { promptIds: Array.from({ length: 70 }, (_, at) => (at * 7) % 96), maxNewTokens: 12, topP: 0.9, seed: 5 },
  { promptIds: [3, 3], maxNewTokens: 7, temperature: 0, repetitionPenalty: 50, eosTokenIds: [] },
  { promptIds: [0, 8, 1], maxNewTokens: 1, minP: 0.1, seed: 2n ** 40n, eosTokenIds: [] },
  { promptIds: [0, 4], maxNewTokens: 12, temperature: 0.9, repetitionPenalty: 1.4, seed: 11 },
  { promptIds: [7], maxNewTokens: 0 },
];

await describeDevices('generateBatch', (device, kind) => {
  it.each(kind === 'cpu' ? [1, 2, 3, 8] : [3])(
    'draws for each sequence what generateTokens draws, %d at a time',
    async (maxBatch) => {
      const model = await randomModel(device);
      const expected: number[][] = [];
      for (const request of MIXED) expected.push(await alone(model, request));
      const before = device.liveBuffers();
      const results = await together(model, MIXED, { maxBatch });
      expect(results.map(({ ids }) => ids)).toEqual(expected);
      MIXED.forEach(({ promptIds, maxNewTokens }, index) => {
        const { ids, outcome } = results[index]!;
        expect(outcome!.finishReason).toBe(ids.length === maxNewTokens && ids.at(-1) !== 1 ? 'length' : 'stop');
        expect(outcome!.timings).toMatchObject({ promptTokens: promptIds.length, newTokens: ids.length });
        expect(outcome!.timings.dispatchesPerToken > 0).toBe(ids.length > 0);
      });
      expect(device.liveBuffers()).toEqual(before);
      model.dispose();
    },
  );

  it('becomes smaller as sequences end, and lets others in while any wait', async () => {
    const model = await randomModel(device);
    const sizes: number[] = [];
    const stepRunner: typeof recordedStep = (...given) => {
      sizes.push(given[1].batch);
      return recordedStep(...given);
    };
    const requests = Array.from({ length: 9 }, (_, index) => ({
      promptIds: [0, index],
      maxNewTokens: 2 + index,
      temperature: 0,
      eosTokenIds: [],
    }));
    const expected: number[][] = [];
    for (const request of requests) expected.push(await alone(model, request));
    const first: number[] = [];
    const results = await together(model, requests, { maxBatch: 6, stepRunner }, ({ index }) => {
      if (!first.includes(index)) first.push(index);
    });
    expect(results.map(({ ids }) => ids)).toEqual(expected);
    expect(sizes).toEqual([6, 4, 2, 1]);
    expect(first).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    model.dispose();
  });

  it('takes more at a time than the fused step does, and then comes down to it', async () => {
    const model = await randomModel(device);
    const requests = Array.from({ length: 12 }, (_, index) => ({
      promptIds: [0, 5 + index],
      maxNewTokens: 2 + (index % 4),
      eosTokenIds: [],
      ...(index % 2 ? { temperature: 0 } : { seed: index, topP: 0.9 }),
    }));
    const expected: number[][] = [];
    for (const request of requests) expected.push(await alone(model, request));
    const results = await together(model, requests, { maxBatch: 12 });
    expect(results.map(({ ids }) => ids)).toEqual(expected);
    model.dispose();
  });

  it('goes on from states and leaves them at the last token, whoever else has one', async () => {
    const model = await randomModel(device);
    const request = (seed: number) => ({ promptIds: [0, seed], maxNewTokens: 6 + seed, seed, eosTokenIds: [] });
    const greedy = (seed: number) => ({ ...request(seed), temperature: 0 });
    const [whole, other] = [await alone(model, greedy(3)), await alone(model, greedy(5))];
    const states = [model.createState(), model.createState()] as const;
    const first = await together(model, [
      { ...greedy(3), maxNewTokens: 2, state: states[0] },
      request(4),
      { ...greedy(5), maxNewTokens: 4, state: states[1] },
    ]);
    expect(states.map(({ position }) => position)).toEqual([4, 6]);
    const rest = await together(model, [
      { ...greedy(5), promptIds: [], maxNewTokens: 7, state: states[1] },
      { ...greedy(3), promptIds: [], maxNewTokens: 7, state: states[0] },
    ]);
    expect([...first[0]!.ids, ...rest[1]!.ids]).toEqual(whole);
    expect([...first[2]!.ids, ...rest[0]!.ids]).toEqual(other);
    expect(states.map(({ position }) => position)).toEqual([11, 13]);
    model.dispose();
  });

  it('leaves no buffer behind, however batches end', async () => {
    const model = await randomModel(device);
    await together(model, MIXED);
    const before = device.liveBuffers();
    for (let round = 0; round < (kind === 'cpu' ? 100 : 8); round++) {
      const abort = new AbortController();
      const own = new AbortController();
      const requests = MIXED.map((request, index) => ({ ...request, ...(index === 2 ? { signal: own.signal } : {}) }));
      const run = together(model, requests, { signal: abort.signal, maxBatch: 1 + (round % 5) }, (_, count) => {
        if (count === 3) own.abort();
        if (round % 3 === 1 && count === 1 + (round % 24)) abort.abort(new Error('all'));
        return round % 3 === 0 && count === 1 + (round % 24);
      });
      if (round % 3 === 1) await expect(run).rejects.toThrow('all');
      else await run;
      expect(device.liveBuffers(), `round ${round}`).toEqual(before);
    }
    model.dispose();
  });

  it('ends and releases everything when a step fails', async () => {
    const model = await randomModel(device);
    const before = device.liveBuffers();
    const state = model.createState();
    let steps = 0;
    const stepRunner: typeof recordedStep = (...given) => {
      const step = recordedStep(...given);
      return {
        dispatches: step.dispatches,
        sample: () => step.sample(),
        advance: () => {
          if (++steps > 2) throw new Error('the step failed');
          step.advance();
        },
        dispose: () => step.dispose(),
      };
    };
    const request = { maxNewTokens: 6, temperature: 0, eosTokenIds: [] };
    const ids: number[] = [];
    const run = together(
      model,
      [
        { ...request, promptIds: [0] },
        { ...request, promptIds: [5], state },
      ],
      { stepRunner },
      (event) => {
        if (event.type === 'token' && event.index === 1) ids.push(event.id);
      },
    );
    await expect(run).rejects.toThrow('the step failed');
    expect(state.position).toBe(1 + ids.length);
    const rest = await alone(model, { ...request, promptIds: [], state, maxNewTokens: 2 });
    expect([...ids, ...rest]).toEqual(await alone(model, { ...request, promptIds: [5], maxNewTokens: ids.length + 2 }));
    state.dispose();
    expect(device.liveBuffers()).toEqual(before);
    model.dispose();
  });
});

// What does not depend on the device is tried where it is quick.
await describeDevices(
  'generateBatch anywhere',
  (device) => {
    it('draws a seed where none is given, and tells it', async () => {
      const model = await randomModel(device);
      const request = { promptIds: [0, 3], maxNewTokens: 8, eosTokenIds: [] };
      const results = await together(model, [request, request]);
      expect(results[0]!.ids).not.toEqual(results[1]!.ids);
      const again = results.map(({ outcome }) => ({ ...request, seed: outcome!.seed }));
      expect((await together(model, again.reverse())).map(({ ids }) => ids).reverse()).toEqual(
        results.map(({ ids }) => ids),
      );
      model.dispose();
    });

    it('tells how likely tokens were, for those who ask', async () => {
      const model = await randomModel(device);
      const request = { promptIds: [0, 3], maxNewTokens: 3, temperature: 0, eosTokenIds: [] };
      const expected: TokenLogprobs[] = [];
      for await (const { logprobs } of generateTokens(model, { ...request, logprobs: 2 })) expected.push(logprobs!);
      const seen: unknown[] = [];
      const requests = [
        { ...request, promptIds: [9] },
        { ...request, logprobs: 2 },
      ];
      await together(model, requests, {}, (event) => {
        if (event.type !== 'token') return;
        if (event.index === 0) expect(event).not.toHaveProperty('logprobs');
        else seen.push(event.logprobs);
      });
      expect(seen).toHaveLength(3);
      expected.forEach(({ logprob, top }, at) => {
        const got = seen[at] as TokenLogprobs;
        expect(got.logprob).toBeCloseTo(logprob, 4);
        expect(got.top.map(({ id }) => id)).toEqual(top.map(({ id }) => id));
      });
      model.dispose();
    });

    it.each(['break', 'abort'] as const)(
      'leaves states at the last token yielded, whatever event it is left after: %s',
      async (how) => {
        const model = await randomModel(device);
        const prompts = [[0, 7], [0, 20, 3], [9]];
        const whole: number[][] = [];
        for (const promptIds of prompts) {
          whole.push(await alone(model, { promptIds, maxNewTokens: 8, temperature: 0, eosTokenIds: [] }));
        }
        for (let leaveAt = 1; leaveAt <= 7; leaveAt++) {
          const abort = new AbortController();
          // One sequence without a state among them.
          const states = [model.createState(), undefined, model.createState()];
          const requests = prompts.map((promptIds, index) => {
            const state = states[index];
            return { promptIds, maxNewTokens: 8, temperature: 0, eosTokenIds: [], ...(state ? { state } : {}) };
          });
          const ids: number[][] = [[], [], []];
          const outcomes: string[] = [];
          const options = {
            signal: abort.signal,
            onEnd: (index: number, { finishReason }: GenerateOutcome) => outcomes.push(`${index} ${finishReason}`),
          };
          const run = together(model, requests, options, (event, count) => {
            if (event.type === 'token') ids[event.index]!.push(event.id);
            if (count < leaveAt) return false;
            if (how === 'abort') abort.abort(new Error('enough'));
            return how === 'break';
          });
          if (how === 'abort') await expect(run).rejects.toThrow('enough');
          else await run;
          expect(ids.flat()).toHaveLength(leaveAt);
          expect(outcomes).toEqual(['0 cancelled', '1 cancelled', '2 cancelled']);
          for (const index of [0, 2]) {
            const state = states[index]!;
            expect(state.position, `state ${index}, left at ${leaveAt}`).toBe(
              prompts[index]!.length + ids[index]!.length,
            );
            const rest = await alone(model, { promptIds: [], maxNewTokens: 3, temperature: 0, eosTokenIds: [], state });
            expect([...ids[index]!, ...rest]).toEqual(whole[index]!.slice(0, ids[index]!.length + 3));
            state.dispose();
          }
        }
        model.dispose();
      },
    );

    it('ends one sequence at its own signal, wherever the batch is, and no other', async () => {
      const model = await randomModel(device);
      const plain = (promptIds: number[]) => ({ promptIds, maxNewTokens: 6, temperature: 0, eosTokenIds: [] });
      const prompts = [[0, 7], [0, 20, 3], [9]];
      const whole: number[][] = [];
      for (const promptIds of prompts) whole.push(await alone(model, plain(promptIds)));
      for (let abortAt = 1; abortAt <= 6; abortAt++) {
        for (const own of [true, false]) {
          const abort = new AbortController();
          const state = model.createState();
          const requests = prompts.map((promptIds, index) =>
            index === 1 ? { ...plain(promptIds), signal: abort.signal, ...(own ? { state } : {}) } : plain(promptIds),
          );
          const reasonsGiven: unknown[] = [];
          const results = await together(model, requests, {}, (event, count) => {
            if (count === abortAt) abort.abort('this one');
            if (event.type === 'end') reasonsGiven.push(event.reason);
          });
          expect(reasons(results)).toEqual(['length', 'cancelled', 'length']);
          expect(reasonsGiven.sort()).toEqual(['this one', undefined, undefined]);
          expect([results[0]!.ids, results[2]!.ids]).toEqual([whole[0], whole[2]]);
          const { ids } = results[1]!;
          expect(ids).toEqual(whole[1]!.slice(0, ids.length));
          // Tokens of this one are the second, fifth, … events.
          expect(ids).toHaveLength(Math.floor((abortAt + 1) / 3));
          if (own) {
            expect(state.position).toBe(3 + ids.length);
            const left = 6 - ids.length;
            expect(await alone(model, { ...plain([]), maxNewTokens: left, state, promptIds: [] })).toEqual(
              ids.length === 0 ? whole[1] : whole[1]!.slice(ids.length),
            );
          }
          state.dispose();
        }
      }
      model.dispose();
    });

    it('ends those who still wait, and a prompt that is being read, at their own signal', async () => {
      const model = await randomModel(device);
      const abort = new AbortController();
      const late = new AbortController();
      const long = Array.from({ length: 1500 }, (_, at) => at % 96);
      const requests: BatchRequest[] = [
        { promptIds: [0], maxNewTokens: 2, temperature: 0, eosTokenIds: [] },
        { promptIds: long, maxNewTokens: 2, signal: abort.signal, onPrefill: () => abort.abort('read enough') },
        { promptIds: [2], maxNewTokens: 2, signal: late.signal },
        { promptIds: [3], maxNewTokens: 3, temperature: 0, eosTokenIds: [] },
      ];
      const before = device.liveBuffers();
      const results = await together(model, requests, { maxBatch: 1 }, ({ index }) => {
        if (index === 0) late.abort('not any more');
      });
      expect(reasons(results)).toEqual(['length', 'cancelled', 'cancelled', 'length']);
      expect(results.map(({ ids }) => ids.length)).toEqual([2, 0, 0, 3]);
      expect(results[2]!.outcome!.timings).toMatchObject({ newTokens: 0, prefillMs: 0 });
      expect(device.liveBuffers()).toEqual(before);
      model.dispose();
    });

    it('refuses a bad request by its index, before anything is computed, and lets go of the other states', async () => {
      const model = await randomModel(device);
      const tuned = await randomModel(device, { seed: 2 });
      const elsewhere = await randomModel(createCpuDevice());
      const state = model.createState();
      const before = device.liveBuffers();
      const good = { promptIds: [0], maxNewTokens: 2 };
      const refuse = async (bad: unknown, message: RegExp, kind: typeof OptionError = OptionError) => {
        const run = () => together(model, [good, { ...good, state }, bad as BatchRequest]);
        await expect(run()).rejects.toThrow(message);
        await expect(run()).rejects.toThrow(kind);
        expect(state.position).toBe(0);
      };
      await refuse({ ...good, topP: 0 }, /^generateBatch: requests\[2\]: topP must be/);
      await refuse({ ...good, maxNewTokens: -1 }, /^generateBatch: requests\[2\]: maxNewTokens/);
      await refuse({ ...good, logprobs: 21 }, /requests\[2\]: logprobs/);
      await refuse({ ...good, eosTokenIds: [96] }, /requests\[2\]: eosTokenIds/);
      await refuse({ ...good, signal: 5 }, /requests\[2\]: signal must be an AbortSignal, got 5/);
      await refuse({ ...good, onPrefill: 5 }, /requests\[2\]: onPrefill must be a function/);
      await refuse({ promptIds: [] }, /requests\[2\]: the prompt has no tokens; begin with the BOS id/);
      await refuse({ promptIds: [96] }, /requests\[2\]: token ids must be integers in 0…95, got 96/);
      await refuse({}, /requests\[2\]: the prompt must be text or a list of token ids/);
      await refuse(null, /requests\[2\]: must be an object with promptIds, got null/);
      await refuse({ ...good, state: {} }, /requests\[2\]: the state must be one of this model/);
      await refuse({ ...good, state }, /requests\[2\] has the state of requests\[1\]; give each its own \(clone\(\)\)/);
      await refuse(
        { ...good, state: tuned.createState() },
        /requests\[2\]: the state is of model/,
        StateError as never,
      );
      await refuse(
        { ...good, state: elsewhere.createState() },
        /requests\[2\]: the state is on another/,
        StateError as never,
      );
      await refuse(
        { ...good, state: model.createState(2) },
        /requests\[2\]: works on one sequence, the state has batch 2/,
      );

      const shared = async (requests: unknown, options: object, message: RegExp) => {
        await expect(together(model, requests as never[], options)).rejects.toThrow(message);
      };
      await expect(generateBatch(model, []).next()).rejects.toThrow(/the list of requests is empty; pass one at least/);
      await expect(generateBatch(model, 5 as never).next()).rejects.toThrow(/requests must be a list, got 5/);
      await shared([good], { maxBatch: 0 }, /maxBatch must be an integer from 1 up, got 0/);
      await shared([good], { maxBatch: 1.5 }, /maxBatch/);
      await shared([good], { signal: {} }, /generateBatch: signal must be/);
      await shared([good], { stepRunner: 1 }, /stepRunner must be a function/);
      await shared([good], { signal: AbortSignal.abort(new Error('before it began')) }, /before it began/);

      const used = model.createState();
      const first = generateTokens(model, { ...good, state: used });
      await first.next();
      await shared(
        [
          { ...good, state },
          { ...good, state: used },
        ],
        {},
        /requests\[1\]: the state is in use by generate/,
      );
      await first.return();
      await together(model, [
        { ...good, state },
        { ...good, state: used },
      ]);
      await expect(
        together(model, [{ ...good, state: used }, good], {}, () => used.acquire('test') !== undefined),
      ).rejects.toThrow(/test: the state is in use by generateBatch: requests\[0\]/);
      for (const each of [model, tuned, elsewhere]) each.dispose();
      expect(device.liveBuffers().count).toBeLessThan(before.count);
    });
  },
  ['cpu'],
);

/** Requests that are long enough to be interrupted. */
const LONG: BatchRequest[] = [[0, 1], [5], [9, 2, 2]].map((promptIds) => ({
  promptIds,
  maxNewTokens: 50,
  temperature: 0,
  eosTokenIds: [],
}));

await describeDevices('generateBatch on a device of its own', () => {
  it('compiles ahead what it launches, for every size that the batch takes', async () => {
    const device = await createWebGpuDevice();
    const blocking = vi.spyOn(device.gpu, 'createComputePipeline');
    const model = await randomModel(device);
    await together(model, MIXED, { maxBatch: 4 });
    expect(blocking).not.toHaveBeenCalled();
    const compiled = device.compiledPipelines;
    await together(model, MIXED, { maxBatch: 4 });
    expect(device.compiledPipelines).toBe(compiled);
    device.dispose();
  });

  it.each(['between two steps', 'while a prompt is read'])(
    'throws a DeviceLostError when it is lost %s',
    async (when) => {
      const device = await createWebGpuDevice();
      const model = await randomModel(device);
      const state = model.createState();
      const late = when === 'between two steps';
      const promptIds = Array.from({ length: 1100 }, (_, at) => at % 96);
      const onPrefill = () => device.gpu.destroy();
      const requests = late ? LONG : [LONG[0]!, { ...LONG[1]!, promptIds, onPrefill }, LONG[2]!];
      const ended: string[] = [];
      const onEnd = (index: number, { finishReason }: GenerateOutcome) => ended.push(`${index} ${finishReason}`);
      let tokens = 0;
      const run = together(model, [...requests, { ...LONG[0]!, state }], { onEnd }, (_, count) => {
        tokens = count;
        if (late && count === 6) device.gpu.destroy();
      });
      await expect(run).rejects.toThrow(DeviceLostError);
      expect(tokens < 50 && tokens >= (late ? 6 : 0)).toBe(true);
      expect(ended).toEqual(['0 cancelled', '1 cancelled', '2 cancelled', '3 cancelled']);
      // Nobody has the state any more, and what it says of itself is what was read into it.
      state.acquire('test')();
      expect(state.position).toBeLessThanOrEqual(2 + tokens);
      await expect(together(model, LONG)).rejects.toThrow(DeviceLostError);
      model.dispose();
      expect(device.liveBuffers().count).toBe(0);
      device.dispose();
    },
  );

  it('says that so many sequences do not fit, before any prompt is read, and fewer do', async () => {
    const limits = { maxStorageBufferBindingSize: 2 ** 17, maxBufferSize: 2 ** 17 };
    const device = await createWebGpuDevice({ limits });
    const model = await randomModel(device, { config: tinyConfig({ num_heads: 1, num_hidden_layers: 1 }) });
    const before = device.liveBuffers();
    let read = 0;
    const requests = Array.from({ length: 64 }, () => ({ ...LONG[1]!, maxNewTokens: 2, onPrefill: () => void read++ }));
    const run = () => together(model, requests, { maxBatch: 64 });
    await expect(run()).rejects.toThrow(OutOfMemoryError);
    await expect(run()).rejects.toThrow(
      /^generateBatch: the states of 64 sequences do not fit on .*; lower maxBatch\. alloc: "state of block 0" needs \d+/,
    );
    expect(read).toBe(0);
    expect(device.liveBuffers()).toEqual(before);
    const results = await together(model, requests.slice(0, 5), { maxBatch: 4 });
    expect(results.map(({ ids }) => ids.length)).toEqual([2, 2, 2, 2, 2]);
    device.dispose();
  });
}, ['webgpu']);
