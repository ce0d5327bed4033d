import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createCpuDevice, DisposedError, OptionError } from '@xlstm/device';
import { evaluateLoss } from '@xlstm/xlstm-large';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { describe, expect, it } from 'vitest';
import { fromPretrained } from './from-pretrained.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const STORIES = resolve(ROOT, 'apps/cli/models/stories');
const CORPUS = resolve(process.env.XLSTM_CORPUS || resolve(ROOT, '../shared/corpus'), 'stories-valid.txt');

interface Expected {
  first_4096_valid_tokens_nats: number;
  generation: { prompt: string; prompt_ids: number[]; greedy_ids: number[]; greedy_text: string }[];
}
const expected = JSON.parse(readFileSync(resolve(ROOT, 'apps/cli/models/stories-expected.json'), 'utf8')) as Expected;

/** The validation text as ids, each document preceded by id 0; the first 4,097 of them. */
function validationIds(encode: (text: string) => number[]): number[] {
  const documents = readFileSync(CORPUS, 'utf8')
    .split('<|endoftext|>')
    .map((text) => text.trim());
  const ids: number[] = [];
  for (const document of documents) {
    if (ids.length > 4096) break;
    ids.push(0, ...encode(document));
  }
  return ids.slice(0, 4097);
}

await describeDevices('the stories model', (device) => {
  it('continues the prompts with the reference ids, in fp32', async () => {
    const model = await fromPretrained(STORIES, { device, dtype: 'fp32' });
    const prompts = device.info.software ? expected.generation.slice(0, 2) : expected.generation;
    for (const { prompt, prompt_ids, greedy_ids, greedy_text } of prompts) {
      const stream = model.generate(prompt, { maxNewTokens: greedy_ids.length, temperature: 0, eosTokenIds: [] });
      const { promptIds, tokenIds, text } = await stream.result();
      expect(promptIds).toEqual(prompt_ids);
      expect(tokenIds).toEqual(greedy_ids);
      expect(text).toBe(greedy_text);
    }
    await model.dispose();
  });

  // Each takes long on a machine without a GPU: fp32 on its CPU device, bf16, whose weights are read by other code, on its adapter.
  const budgets = [
    ['fp32', 0.001],
    ['bf16', 0.01],
  ] as const;
  it
    .skipIf(!existsSync(CORPUS))
    .each(device.info.software ? budgets.slice(1) : budgets.slice(0, device.kind === 'cpu' ? 1 : 2))(
    'has the validation loss of the reference in %s',
    async (dtype, budget) => {
      const model = await fromPretrained(STORIES, { device, dtype });
      const ids = validationIds((text) => model.tokenizer.encode(text, { addBos: false }));
      const loss = await evaluateLoss(model.model, ids);
      console.info(
        `${device.kind} ${dtype}: ${loss.toFixed(6)} nats, reference ${expected.first_4096_valid_tokens_nats.toFixed(6)}`,
      );
      expect(Math.abs(loss - expected.first_4096_valid_tokens_nats)).toBeLessThan(budget);
      await model.dispose();
    },
    240_000,
  );

  it('streams chunks whose texts add up to the result', async () => {
    const model = await fromPretrained(STORIES, { device });
    const stream = model.generate('The fox said', { maxNewTokens: 12, temperature: 0 });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const result = await stream.result();
    expect(chunks.map(({ text }) => text).join('')).toBe(result.text);
    expect(chunks.flatMap(({ tokenIds }) => tokenIds)).toEqual(result.tokenIds);
    expect(chunks.at(-1)).toMatchObject({ finishReason: 'length', timings: { newTokens: 12 } });
    await model.dispose();
  });

  it('ends at a stop string, which is not part of the text', async () => {
    const model = await fromPretrained(STORIES, { device });
    const state = model.createState();
    const options = { maxNewTokens: 30, temperature: 0, stop: [' king'], state };
    const { text, finishReason, tokenIds, promptIds } = await model.generate('Once upon a time', options).result();
    expect(text).toBe(' there lived a');
    expect(finishReason).toBe('stop');
    expect(state.position).toBe(promptIds.length + tokenIds.length);
    state.dispose();
    await model.dispose();
  });

  it('continues a state without a second BOS', async () => {
    const model = await fromPretrained(STORIES, { device });
    const state = model.createState();
    const first = await model.generate('Once upon', { state, maxNewTokens: 1 }).result();
    const second = await model.generate(' a time', { state, maxNewTokens: 1 }).result();
    expect(first.promptIds[0]).toBe(0);
    expect(second.promptIds).not.toContain(0);
    state.dispose();
    await model.dispose();
  });

  it('leaves nothing behind, whether generations end, break, abort or fail', async () => {
    const before = device.liveBuffers();
    const model = await fromPretrained(STORIES, { device });
    const loaded = device.liveBuffers();
    for await (const _ of model.generate('One', { maxNewTokens: 8 })) break;
    const abort = new AbortController();
    const run = async () => {
      for await (const _ of model.generate('Two', { maxNewTokens: 8, signal: abort.signal })) abort.abort();
    };
    await expect(run()).rejects.toMatchObject({ name: 'AbortError' });
    await expect(model.generate('Three', { topP: 2 }).result()).rejects.toThrow(OptionError);
    expect(device.liveBuffers()).toEqual(loaded);
    await model.dispose();
    expect(device.liveBuffers()).toEqual(before);
  });
});

describe('fromPretrained', () => {
  it('takes BOS alone for an empty prompt', async () => {
    const model = await fromPretrained(STORIES, { device: 'cpu' });
    const { promptIds, tokenIds } = await model.generate('', { maxNewTokens: 3, temperature: 0 }).result();
    expect(promptIds).toEqual([0]);
    expect(tokenIds).toHaveLength(3);
    await model.dispose();
  });

  it('reports progress tensor by tensor and obeys a signal, leaving nothing allocated', async () => {
    const device = createCpuDevice();
    const seen: number[] = [];
    const abort = new AbortController();
    const loading = fromPretrained(STORIES, {
      device,
      signal: abort.signal,
      onProgress: ({ loadedTensors }) => {
        seen.push(loadedTensors);
        if (loadedTensors === 5) abort.abort(new Error('changed my mind'));
      },
    });
    await expect(loading).rejects.toThrow('changed my mind');
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(device.liveBuffers().count).toBe(0);
  });

  it('disposes its states with itself, clones included, and throws DisposedError from then on', async () => {
    const device = createCpuDevice();
    let left: Awaited<ReturnType<typeof fromPretrained>>;
    const streams: { result(): Promise<unknown> }[] = [];
    {
      await using model = await fromPretrained(STORIES, { device });
      left = model;
      const state = model.createState();
      await model.generate('One', { state, maxNewTokens: 1 }).result();
      const states = [state, state.clone(), model.importState(await state.export())];
      const running = model.generate('One', { maxNewTokens: 50 })[Symbol.asyncIterator]();
      await running.next();
      streams.push({ result: () => running.next() }, model.generate('Two'), model.generate('Two', { state }));
      await model.dispose();
      for (const each of states) expect(each.disposed).toBe(true);
      expect(() => state.clone()).toThrow(DisposedError);
      await expect(model.exportState(state)).rejects.toThrow(DisposedError);
      await expect(state.export()).rejects.toThrow(DisposedError);
    }
    expect(left.disposed).toBe(true);
    expect(() => left.generate('x')).toThrow(DisposedError);
    expect(() => left.createState()).toThrow(DisposedError);
    expect(() => left.importState(new Uint8Array(4))).toThrow(DisposedError);
    for (const stream of streams) await expect(stream.result()).rejects.toThrow(DisposedError);
    expect(device.liveBuffers().count).toBe(0);
  });

  it.each([
    ['an unknown option', { worker: true }, /no option is called "worker".*xlstm\/worker/],
    ['an unknown dtype', { dtype: 'int8' }, /dtype must be one of fp32, bf16, fp16, q8, q4, got "int8"/],
    ['an unknown option', { revison: 'main' }, /no option is called "revison"; it takes device, dtype/],
    ['an unknown device', { device: 'tpu' }, /"tpu" is not one of auto, webgpu, cpu/],
  ])('refuses %s', async (_, options, message) => {
    await expect(fromPretrained(STORIES, options as never)).rejects.toThrow(OptionError);
    await expect(fromPretrained(STORIES, options as never)).rejects.toThrow(message);
  });

  it('refuses unknown options of generate, and stop strings that are none', async () => {
    const model = await fromPretrained(STORIES, { device: 'cpu' });
    expect(() => model.generate('x', { maxTokens: 3 } as never)).toThrow(/no option is called "maxTokens"/);
    expect(() => model.generate('x', { stop: '' })).toThrow(/stop must be a non-empty text/);
    expect(() => model.generate('x', { stop: 5 as never })).toThrow(OptionError);
    expect(() => model.generate(null as never)).toThrow(/the prompt must be text or a list of token ids, got null/);
    const unread = model.generate('x');
    await unread[Symbol.asyncIterator]().return(undefined);
    await expect(unread.result()).rejects.toThrow(/closed before it began/);
    const stream = model.generate('x', { maxNewTokens: 1 });
    await stream.result();
    expect(() => stream[Symbol.asyncIterator]()).toThrow(/iterated once/);
    await model.dispose();
  });
});
