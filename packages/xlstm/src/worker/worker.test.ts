import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import {
  CheckpointError,
  createCpuDevice,
  DeviceLostError,
  DisposedError,
  OptionError,
  StateError,
} from '@xlstm/device';
import { openCheckpoint } from '@xlstm/loaders';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchOptions, GeneratedBatch } from '../batch-options.ts';
import { fromPretrained, type XlstmModel } from '../from-pretrained.ts';
import type { GenerateChunk, GeneratedText } from '../generated-text.ts';
import { fromPretrained as fromPretrainedInWorker, type WorkerModel } from './index.ts';

const STORIES = resolve(import.meta.dirname, '../../../../apps/cli/models/stories');

/** The built entry, without vitest's conditions: Node 20 runs no TypeScript. The client under test is the source. */
function startWorker(): Worker {
  return new Worker(new URL('../../dist/worker/worker-entry.js', import.meta.url), { execArgv: [] });
}

async function chunksOf(stream: GeneratedText): Promise<GenerateChunk[]> {
  const chunks: GenerateChunk[] = [];
  for await (const { timings, ...chunk } of stream) chunks.push(timings ? { ...chunk, timings: {} as never } : chunk);
  return chunks;
}

describe('a model in a worker', () => {
  let here: XlstmModel;
  let worker: Worker;
  let model: WorkerModel;
  beforeAll(async () => {
    here = await fromPretrained(STORIES, { device: 'cpu', dtype: 'fp32' });
    worker = startWorker();
    model = await fromPretrainedInWorker(STORIES, { worker, device: 'cpu', dtype: 'fp32' });
  });
  afterAll(async () => {
    await here.dispose();
    await model.dispose();
    await worker.terminate();
  });

  it('says of itself what the model at home says', async () => {
    const { config, dtype, deviceReason, fingerprint } = model;
    const { model: inner } = here;
    expect({ config, dtype, deviceReason, fingerprint }).toEqual({
      config: here.config,
      dtype: 'fp32',
      deviceReason: here.deviceReason,
      fingerprint: inner.fingerprint,
    });
    expect(model.device).toMatchObject({ kind: 'cpu', name: here.device.name });
    const { kind, bosId, addsBos, specialTokens } = here.tokenizer;
    expect(model.tokenizer).toMatchObject({ kind, bosId, addsBos, specialTokens });
    const ids = await model.tokenizer.encode('The fox said', { addBos: false });
    expect(ids).toEqual(here.tokenizer.encode('The fox said', { addBos: false }));
    expect(await model.tokenizer.decode(ids)).toBe('The fox said');
  });

  it.each([
    ['greedily', { maxNewTokens: 12, temperature: 0 }],
    ['with every sampling option', { maxNewTokens: 12, temperature: 0.8, topK: 40, topP: 0.9, minP: 0.01, seed: 7 }],
    ['to a stop string', { maxNewTokens: 30, temperature: 0, stop: [' king'] }],
    ['with log probabilities', { maxNewTokens: 4, temperature: 0, logprobs: 3 }],
  ])('generates %s, chunk by chunk what the model at home generates', async (_, options) => {
    const [there, wanted] = [model.generate('Once upon a time', options), here.generate('Once upon a time', options)];
    expect(await chunksOf(there)).toEqual(await chunksOf(wanted));
    const { timings, ...result } = await there.result();
    const { timings: own, ...expected } = await wanted.result();
    expect(result).toMatchObject(options.temperature === 0 ? { ...expected, seed: expect.any(Number) } : expected);
    expect(Object.keys(timings)).toEqual(Object.keys(own));
    const { text } = await model.generate('Once upon a time', options).result();
    expect(text).toBe(expected.text);
  });

  it('keeps states that go on, fork, and travel in both directions', async () => {
    const options = { maxNewTokens: 6, temperature: 0 };
    const state = model.createState();
    const first = await model.generate('Once upon', { ...options, state }).result();
    expect(state.position).toBe(first.promptIds.length + 6);
    const fork = state.clone();
    const bytes = await state.export();
    const athome = here.importState(bytes);
    expect(athome.position).toBe(state.position);
    const back = await model.importState(await athome.export());
    expect(back.position).toBe(state.position);
    const goOn = (from: typeof state) => model.generate(' time', { ...options, state: from }).result();
    const wanted = await here.generate(' time', { ...options, state: athome }).result();
    expect(wanted.promptIds).not.toContain(0);
    for (const each of [state, fork, back]) {
      const { tokenIds, promptIds } = await goOn(each);
      expect({ tokenIds, promptIds }).toEqual({ tokenIds: wanted.tokenIds, promptIds: wanted.promptIds });
      expect(each.position).toBe(athome.position);
    }
    state.reset();
    expect(state.position).toBe(0);
    expect((await model.generate('Once upon', { ...options, state }).result()).tokenIds).toEqual(first.tokenIds);
    for (const each of [state, fork, back, athome]) each.dispose();
    expect(() => model.generate('x', { state })).toThrow(DisposedError);
  });

  it('leaves a state where the reader left it, after a break and after an abort', async () => {
    const state = model.createState();
    const read = async (signal?: AbortSignal, stop?: () => void) => {
      let count = 0;
      for await (const { tokenIds } of model.generate('One', { maxNewTokens: 50, temperature: 0, state, signal })) {
        count += tokenIds.length;
        if (count < 5) continue;
        if (!stop) break;
        stop();
      }
    };
    await read();
    expect(state.position).toBe(2 + 5);
    const [abort, reason] = [new AbortController(), { any: 'reason' }];
    await expect(read(abort.signal, () => abort.abort(reason))).rejects.toBe(reason);
    expect(state.position).toBe(7 + 1 + 5);
    const { promptIds } = await model.generate(' and', { maxNewTokens: 1, state }).result();
    expect(state.position).toBe(13 + promptIds.length + 1);
    state.dispose();
  });

  it('tells how a reader left, and ends result() on an abort', async () => {
    const stream = model.generate('One', { maxNewTokens: 50, temperature: 0 });
    for await (const _ of stream) break;
    expect(await stream.result()).toMatchObject({ finishReason: 'cancelled', usage: { completionTokens: 1 } });
    const last = model.generate('One', { maxNewTokens: 3, temperature: 0 });
    const seen: number[] = [];
    for await (const { tokenIds } of last) {
      seen.push(...tokenIds);
      await new Promise((done) => setTimeout(done, 60)); // the worker comes to the end meanwhile
      if (seen.length === 2) break;
    }
    expect(await last.result()).toMatchObject({ finishReason: 'cancelled', tokenIds: seen });
    const abort = new AbortController();
    const aborted = async () => {
      for await (const _ of model.generate('One', { maxNewTokens: 3, signal: abort.signal })) {
        await new Promise((done) => setTimeout(done, 60));
        abort.abort('late');
      }
    };
    await expect(aborted()).rejects.toBe('late');
    const ending = model.generate('One', { maxNewTokens: 5000, temperature: 0, signal: AbortSignal.timeout(50) });
    await expect(ending.result()).rejects.toMatchObject({ name: 'TimeoutError' });
    const early = model.generate('One', { signal: AbortSignal.abort('too late') });
    await expect(early.result()).rejects.toBe('too late');
  });

  it('throws what the model at home throws, of the same classes', async () => {
    expect(() => model.generate('x', { maxTokens: 3 } as never)).toThrow(OptionError);
    expect(() => model.generate('x', { stop: '' })).toThrow(/stop must be a non-empty text/);
    expect(() => model.generate('x', { state: here.createState() as never })).toThrow(/one of this model's/);
    for (const run of [(m: XlstmModel | WorkerModel) => m.generate('x', { topP: 2 }).result()]) {
      const error = await run(here).catch((thrown: Error) => thrown as Error);
      await expect(run(model)).rejects.toThrow(OptionError);
      await expect(run(model)).rejects.toThrow((error as Error).message);
    }
    const stream = model.generate('x', { topK: -1 });
    await expect(chunksOf(stream)).rejects.toThrow(OptionError);
    await expect(stream.result()).rejects.toThrow(OptionError);
    expect(() => stream[Symbol.asyncIterator]()).toThrow(/iterated once/);
    const unclonable = model.generate('x', { temperature: (() => 1) as never });
    await expect(unclonable.result()).rejects.toThrow(OptionError);
    await expect(model.importState(new Uint8Array(100))).rejects.toThrow(StateError);
    await expect(model.tokenizer.decode([-1])).rejects.toMatchObject({ name: 'TokenizerError' });
    const thrown = new Error('from a callback');
    const calling = model.generate('x', {
      maxNewTokens: 500,
      onPrefill() {
        throw thrown;
      },
    });
    await expect(calling.result()).rejects.toBe(thrown);
  });

  it('refuses two generations on one state at once', async () => {
    const state = model.createState();
    const first = model.generate('One', { state, maxNewTokens: 30 });
    const chunks = first[Symbol.asyncIterator]();
    await chunks.next();
    await expect(model.generate('Two', { state }).result()).rejects.toThrow(/in use by generate/);
    await chunks.return();
    state.dispose();
  });

  it('continues several prompts together, chunk by chunk as the model at home does', async () => {
    const prompts = [
      { prompt: 'Once upon a time', options: { maxNewTokens: 9, stop: [' king'] } },
      'The fox said',
      { prompt: [0, 2353], options: { temperature: 0.9, topP: 0.9, repetitionPenalty: 1.2, maxNewTokens: 12 } },
      { prompt: 'One', options: { seed: 77, temperature: 1, logprobs: 2, maxNewTokens: 3 } },
    ];
    const options: BatchOptions = { temperature: 0, seed: 4, maxNewTokens: 6, maxBatch: 3, eosTokenIds: [] };
    const chunksOf = async (batch: GeneratedBatch) => {
      const chunks: unknown[] = [];
      for await (const { timings, ...chunk } of batch) chunks.push({ ...chunk, timed: timings !== undefined });
      return { chunks, results: withoutTimings(await batch.result()) };
    };
    const withoutTimings = (results: object[]) => results.map((result) => ({ ...result, timings: {} }));
    const wanted = await chunksOf(here.generateBatch(prompts, options));
    expect(await chunksOf(model.generateBatch(prompts, options))).toEqual(wanted);
    // All at once, no chunk is sent.
    expect(withoutTimings(await model.generateBatch(prompts, options).result())).toEqual(wanted.results);
  });

  it('keeps the states of a batch where its reader left it, and ends one sequence or all', async () => {
    const before = await model.device.liveBuffers();
    const plain = { temperature: 0, maxNewTokens: 30, eosTokenIds: [] };
    const [first, second, own, all] = [
      model.createState(),
      model.createState(),
      new AbortController(),
      new AbortController(),
    ];
    const read: number[] = [];
    const prompts = [
      { prompt: 'One', options: { state: first, onPrefill: (done: number) => void read.push(done) } },
      { prompt: 'Two', options: { signal: own.signal } },
      { prompt: [0, 9, 9], options: { state: second } },
    ];
    const counts = [0, 0, 0];
    const left = model.generateBatch(prompts, plain);
    for await (const { index, tokenIds, finishReason } of left) {
      counts[index]! += tokenIds.length;
      if (index === 1 && counts[1] === 2) own.abort();
      if (index === 1 && finishReason) break;
    }
    expect(counts[1]).toBe(2);
    expect((await left.result()).map(({ finishReason }) => finishReason)).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
    ]);
    expect(read).toEqual([2]);
    expect([first.position, second.position]).toEqual([2 + counts[0]!, 3 + counts[2]!]);

    const reason = { any: 'reason' };
    const goOn = async () => {
      const going = prompts.map((prompt) => ({ ...prompt, options: { ...prompt.options, signal: undefined } }));
      for await (const { index, tokenIds } of model.generateBatch(going, { ...plain, signal: all.signal })) {
        counts[index]! += tokenIds.length;
        if (index === 2) all.abort(reason);
      }
    };
    await expect(goOn()).rejects.toBe(reason);
    // 'One' without BOS, and three ids.
    expect([first.position, second.position]).toEqual([3 + counts[0]!, 6 + counts[2]!]);
    for (const state of [first, second]) state.dispose();
    expect(await model.device.liveBuffers()).toEqual(before);
  });

  it('refuses batches as the model at home does, and what a callback throws ends one', async () => {
    const refuse = (prompts: unknown, options: object, message: RegExp) =>
      expect(() => model.generateBatch(prompts as never, options)).toThrow(message);
    refuse([], {}, /the list of prompts is empty/);
    refuse(['a', 5], {}, /prompts\[1\]: must be text or a list of token ids, got 5/);
    refuse(['a', { prompt: 'b', options: { signal: 3 } }], {}, /prompts\[1\]: signal must be an AbortSignal, got 3/);
    refuse(
      ['a', { prompt: 'b', options: { state: here.createState() } }],
      {},
      /prompts\[1\]: the state must be one of/,
    );
    const later = async (prompts: unknown, options: object, message: RegExp) => {
      const error = await model
        .generateBatch(prompts as never, options)
        .result()
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(OptionError);
      expect((error as Error).message).toMatch(message);
    };
    await later(['a', { prompt: 'b', options: { topP: 7 } }], {}, /requests\[1\]: topP/);
    await later(['a'], { maxBatch: 0 }, /maxBatch must be an integer from 1 up/);
    const closed = model.generateBatch(['a']);
    await closed[Symbol.asyncIterator]().return();
    await expect(closed.result()).rejects.toThrow(/closed before it began/);
    const closedStream = model.generate('a');
    await closedStream[Symbol.asyncIterator]().return();
    await expect(closedStream.result()).rejects.toThrow(/closed before it began/);
    const thrown = new Error('from a callback');
    const onPrefill = () => {
      throw thrown;
    };
    const calling = model.generateBatch(['a', { prompt: 'b', options: { onPrefill } }], { maxNewTokens: 500 });
    await expect(calling.result()).rejects.toBe(thrown);
  });

  it('leaves nothing behind in the worker', async () => {
    const loaded = await model.device.liveBuffers();
    for (let round = 0; round < 5; round++) {
      const state = model.createState();
      state.clone().dispose();
      for await (const _ of model.generate('Two', { state, maxNewTokens: 8 })) break;
      const abort = new AbortController();
      const run = async () => {
        for await (const _ of model.generate('Two', { maxNewTokens: 8, signal: abort.signal })) abort.abort();
      };
      await expect(run()).rejects.toMatchObject({ name: 'AbortError' });
      state.dispose();
    }
    expect(await model.device.liveBuffers()).toEqual(loaded);
  });

  it('leaves the thread that asked free', async () => {
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 10);
    await model.generate('Once upon a time '.repeat(60), { maxNewTokens: 30 }).result();
    clearInterval(timer);
    // A single piece of this prefill takes the thread of a model at home for longer.
    console.info(`longest gap of a 10 ms timer: ${longest.toFixed(0)} ms`);
    expect(longest).toBeGreaterThan(0);
  });
});

describe('fromPretrained in a worker', () => {
  async function withWorker(use: (worker: Worker) => Promise<void>): Promise<void> {
    const worker = startWorker();
    try {
      await use(worker);
    } finally {
      await worker.terminate();
    }
  }

  it('takes files, reports progress, and serves another model after a dispose', () =>
    withWorker(async (worker) => {
      // In memory: Node 20 itself crashes when a Blob of openAsBlob is read in another thread.
      const files = readdirSync(STORIES).map((name) => new File([readFileSync(join(STORIES, name))], name));
      const seen: number[] = [];
      const onProgress = ({ loadedTensors }: { loadedTensors: number }) => void seen.push(loadedTensors);
      const first = await fromPretrainedInWorker(files, { worker, device: 'cpu', onProgress });
      expect(seen).toEqual(seen.map((_, index) => index + 1));
      const wanted = await first.generate('Once', { maxNewTokens: 4, temperature: 0 }).result();
      await first.dispose();
      const second = await fromPretrainedInWorker(STORIES, { worker, device: 'cpu' });
      const { tokenIds } = await second.generate('Once', { maxNewTokens: 4, temperature: 0 }).result();
      expect(tokenIds).toEqual(wanted.tokenIds);
      await expect(fromPretrainedInWorker(STORIES, { worker })).rejects.toThrow(/has a model already/);
      await second.dispose();
    }));

  it('obeys a signal and a callback that throws', () =>
    withWorker(async (worker) => {
      const abort = new AbortController();
      const reason = new Error('changed my mind');
      const onProgress = () => abort.abort(reason);
      const loading = fromPretrainedInWorker(STORIES, { worker, device: 'cpu', signal: abort.signal, onProgress });
      await expect(loading).rejects.toBe(reason);
      const thrown = new Error('from the callback');
      const failing = fromPretrainedInWorker(STORIES, {
        worker,
        device: 'cpu',
        onProgress() {
          throw thrown;
        },
      });
      await expect(failing).rejects.toBe(thrown);
      await (await fromPretrainedInWorker(STORIES, { worker, device: 'cpu' })).dispose();
    }));

  it('refuses what cannot be loaded, with the errors of fromPretrained', () =>
    withWorker(async (worker) => {
      await expect(fromPretrainedInWorker('/no/such/folder', { worker })).rejects.toThrow(CheckpointError);
      await expect(fromPretrainedInWorker([], { worker })).rejects.toThrow(CheckpointError);
      for (const options of [{ dtype: 'int8' }, { device: 'tpu' }, { device: createCpuDevice() }, { wrong: 1 }]) {
        const loading = fromPretrainedInWorker(STORIES, { worker, ...options } as never);
        await expect(loading).rejects.toThrow(OptionError);
      }
      await using checkpoint = await openCheckpoint(STORIES);
      await expect(fromPretrainedInWorker(checkpoint as never, { worker })).rejects.toThrow(/not an open checkpoint/);
    }));

  it('throws DisposedError after dispose, also in what is running', () =>
    withWorker(async (worker) => {
      const model = await fromPretrainedInWorker(STORIES, { worker, device: 'cpu' });
      const state = model.createState();
      const running = model.generate('Once', { maxNewTokens: 5000 }).result();
      const ended = expect(running).rejects.toThrow(DisposedError);
      await new Promise((done) => setTimeout(done, 50));
      await model.dispose();
      await model.dispose();
      await ended;
      for (const use of [() => model.generate('x'), () => model.createState(), () => state.clone()]) {
        expect(use).toThrow(DisposedError);
      }
      state.dispose();
      await expect(model.importState(new Uint8Array(4))).rejects.toThrow(DisposedError);
      await expect(model.tokenizer.encode('x')).rejects.toThrow(DisposedError);
    }));

  it('fails everything when the worker ends, or is sent what it does not know', () =>
    withWorker(async (worker) => {
      const model = await fromPretrainedInWorker(STORIES, { worker, device: 'cpu' });
      const running = model.generate('Once', { maxNewTokens: 5000 }).result();
      worker.postMessage({ type: 'hello' });
      await expect(running).rejects.toThrow(DeviceLostError);
      await expect(running).rejects.toThrow(/expected a message of xlstm's protocol, got {"type":"hello"}/);
      expect(() => model.createState()).toThrow(DeviceLostError);
      await model.dispose();
    }));

  it('fails when the worker runs another program', async () => {
    const program =
      'const { parentPort } = require("node:worker_threads"); parentPort.on("message", () => parentPort.postMessage("hi"))';
    const stranger = new Worker(program, { eval: true, execArgv: [] });
    const loading = fromPretrainedInWorker(STORIES, { worker: stranger });
    await expect(loading).rejects.toThrow(/expected a message of xlstm's protocol, got "hi"/);
    await stranger.terminate();
  });

  it('starts a worker of its own that keeps no process alive, and ends it', async () => {
    const script = `
      import { fromPretrained } from ${JSON.stringify(resolve(import.meta.dirname, '../../dist/worker/index.js'))};
      const model = await fromPretrained(${JSON.stringify(STORIES)}, { device: 'cpu' });
      const { text } = await model.generate('Once', { maxNewTokens: 3, temperature: 0 }).result();
      const second = await fromPretrained(${JSON.stringify(STORIES)}, { device: 'cpu' });
      await second.dispose();
      console.log(JSON.stringify(text)); // and the first model is forgotten
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(JSON.parse(stdout)).not.toBe('');
  });
});
