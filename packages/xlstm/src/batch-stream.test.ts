import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { BatchChunk, BatchOptions, BatchPrompts } from './batch-options.ts';
import { fromPretrained } from './from-pretrained.ts';

const folder = new URL('../../../apps/cli/models/', import.meta.url);
const { generation: stories } = JSON.parse(readFileSync(new URL('stories-expected.json', folder), 'utf8')) as {
  generation: { prompt: string; greedy_ids: number[]; greedy_text: string }[];
};
const model = await fromPretrained(new URL('stories', folder).pathname, { device: 'cpu', dtype: 'fp32' });

async function chunksOf(prompts: BatchPrompts, options?: BatchOptions) {
  const batch = model.generateBatch(prompts, options);
  const chunks: BatchChunk[] = [];
  for await (const chunk of batch) chunks.push(chunk);
  return { chunks, results: await batch.result() };
}

it('continues the four stories together as the reference continues each', async () => {
  const before = model.device.liveBuffers();
  const prompts = stories.map(({ prompt }, index) => ({ prompt, options: { maxNewTokens: 20 - 4 * index } }));
  const { chunks, results } = await chunksOf(prompts, { temperature: 0, maxBatch: 3 });
  results.forEach((result, index) => {
    expect(result.tokenIds).toEqual(stories[index]!.greedy_ids.slice(0, 20 - 4 * index));
    const own = chunks.filter((chunk) => chunk.index === index);
    expect(own.map(({ text }) => text).join('')).toBe(result.text);
    expect(own.flatMap(({ tokenIds }) => tokenIds)).toEqual(result.tokenIds);
    expect(own.at(-1)).toMatchObject({ finishReason: 'length', usage: result.usage });
    expect(result.timings.newTokens).toBe(result.tokenIds.length);
  });
  expect(results[0]!.text).toBe(stories[0]!.greedy_text.slice(0, results[0]!.text.length));
  expect(model.device.liveBuffers()).toEqual(before);
});

it('draws from a shared seed what generate draws from that seed and those after it', async () => {
  const options = { temperature: 1.1, topP: 0.95, maxNewTokens: 8 };
  const prompts = stories.map(({ prompt }) => prompt).slice(0, 3);
  const results = await model.generateBatch(prompts, { ...options, seed: 40 }).result();
  for (const [index, prompt] of prompts.entries()) {
    const alone = await model.generate(prompt, { ...options, seed: 40 + index }).result();
    expect(results[index]).toMatchObject({ text: alone.text, tokenIds: alone.tokenIds, seed: 40 + index });
  }
});

it('ends each text before its own stop strings, and a state at the last token', async () => {
  const { prompt, greedy_text: text } = stories[0]!;
  const [state, whole] = [model.createState(), { temperature: 0, maxNewTokens: 12 }];
  const prompts = [
    { prompt, options: { stop: ' who', state } },
    { prompt, options: { stop: [' sons', ' king'] } },
    prompt,
  ];
  const { results } = await chunksOf(prompts, whole);
  expect(results.map(({ finishReason }) => finishReason)).toEqual(['stop', 'stop', 'length']);
  expect(results[0]!.text).toBe(text.slice(0, text.indexOf(' who')));
  expect(results[1]!.text).toBe(text.slice(0, text.indexOf(' king')));
  expect(state.position).toBe(results[0]!.promptIds.length + results[0]!.tokenIds.length);
  const rest = await model.generate('', { temperature: 0, maxNewTokens: 2, state }).result();
  expect([...results[0]!.tokenIds, ...rest.tokenIds]).toEqual(
    stories[0]!.greedy_ids.slice(0, results[0]!.tokenIds.length + 2),
  );
  state.dispose();
});

it('tells who was cancelled: one by its signal, all by a break; an abort of all rejects', async () => {
  const before = model.device.liveBuffers();
  const abort = new AbortController();
  const prompts = ['A', { prompt: 'The', options: { signal: abort.signal } }, 'One'];
  const options = { temperature: 0, maxNewTokens: 4, eosTokenIds: [] };
  const one = model.generateBatch(prompts, options);
  for await (const { index } of one) if (index === 1) abort.abort();
  expect((await one.result()).map(({ finishReason }) => finishReason)).toEqual(['length', 'cancelled', 'length']);

  const left = model.generateBatch(['A', 'The'], options);
  for await (const _ of left) break;
  expect((await left.result()).map(({ finishReason, usage }) => [finishReason, usage.completionTokens])).toEqual([
    ['cancelled', 1],
    ['cancelled', 0],
  ]);
  const all = model.generateBatch(['A'], { ...options, signal: AbortSignal.abort(new Error('all of it')) });
  await expect(all.result()).rejects.toThrow('all of it');
  expect(model.device.liveBuffers()).toEqual(before);
});

it('refuses what makes no sense', async () => {
  const state = model.createState();
  const refuse = (prompts: unknown, options: object, message: RegExp) =>
    expect(() => model.generateBatch(prompts as BatchPrompts, options)).toThrow(message);
  refuse([], {}, /the list of prompts is empty/);
  refuse('one text', {}, /prompts must be a list/);
  refuse(['a', 5], {}, /prompts\[1\]: must be text or a list of token ids, got 5/);
  refuse(['a'], { topp: 1 }, /no option is called "topp"; it takes maxBatch, stop/);
  refuse(['a', { prompt: 'b', options: { maxBatch: 2 } }], {}, /prompts\[1\]: no option is called "maxBatch"/);
  refuse(['a', { prompt: 'b', seed: 3 }], {}, /prompts\[1\]: has prompt and options, got "seed"/);
  refuse(['a', { prompt: 'b', options: { stop: '' } }], {}, /prompts\[1\]: stop must be a non-empty text/);
  refuse(['a'], { state }, /state belongs to one prompt/);
  refuse(['a', { prompt: 'b', options: { signal: 3 } }], {}, /prompts\[1\]: signal must be an AbortSignal, got 3/);
  refuse(['a', { prompt: 'b', options: { onPrefill: 3 } }], {}, /prompts\[1\]: onPrefill must be a function, got 3/);
  refuse(['a', { prompt: 'b', seed: 3 }], {}, /prompts\[1\]: has prompt and options, got "seed"; put it into options/);
  refuse(['a'], { signal: {} }, /generateBatch: signal must be an AbortSignal/);
  const later = (prompts: unknown, options: object, message: RegExp) =>
    expect(model.generateBatch(prompts as BatchPrompts, options).result()).rejects.toThrow(message);
  await later(['a', { prompt: 'b', options: { topP: 7 } }], {}, /requests\[1\]: topP/);
  await later(['a', 'b', { prompt: [4096], options: {} }], {}, /requests\[2\]: token ids must be integers in 0…4095/);
  await later(['a', 'b'], { seed: 2 ** 53 - 1 }, /requests\[1\]: seed/);
  await later(['a'], { seed: '5' }, /requests\[0\]: seed .*5/);
  await later(['a'], { maxBatch: 0 }, /maxBatch must be an integer from 1 up, got 0/);
  await later(
    [0, 1].map(() => ({ prompt: 'b', options: { state } })),
    {},
    /requests\[1\] has the state of requests\[0\]/,
  );
  const twice = model.generateBatch(['a'], { maxNewTokens: 1 });
  await twice.result();
  expect(() => twice[Symbol.asyncIterator]()).toThrow(/can be iterated once/);
  const closed = model.generateBatch(['a']);
  await closed[Symbol.asyncIterator]().return();
  await expect(closed.result()).rejects.toThrow(/closed before it began/);
  state.dispose();
});

it('gives each prompt its own options, and those of all where it says nothing or undefined', async () => {
  const prompts = [
    'One',
    { prompt: 'Two', options: { maxNewTokens: 2, temperature: 0 } },
    { prompt: model.tokenizer.encode('Three'), options: { maxNewTokens: undefined, seed: 3, topK: 5 } },
  ] as const;
  const read: number[] = [];
  const told = { prompt: 'A', options: { onPrefill: (done: number, total: number) => void read.push(done, total) } };
  const all = { maxNewTokens: 5, temperature: 0.9, seed: 8, eosTokenIds: [], onPrefill: undefined };
  const results = await model.generateBatch([...prompts, told] as BatchPrompts, all as BatchOptions).result();
  const alone = [
    await model.generate('One', { ...all, seed: 8 }).result(),
    await model.generate('Two', { ...all, maxNewTokens: 2, temperature: 0 }).result(),
    await model.generate(prompts[2].prompt, { ...all, seed: 3, topK: 5 }).result(),
    await model.generate('A', { ...all, seed: 11 }).result(),
  ];
  expect(results.map(({ tokenIds }) => tokenIds)).toEqual(alone.map(({ tokenIds }) => tokenIds));
  expect(results.map(({ tokenIds }) => tokenIds.length)).toEqual([5, 2, 5, 5]);
  expect(results.map(({ seed }) => seed)).toEqual([8, expect.any(Number), 3, 11]);
  expect(read).toEqual([results[3]!.promptIds.length, results[3]!.promptIds.length]);
});

it('leaves nothing behind after 100 batches, however they end', { timeout: 120_000 }, async () => {
  const before = model.device.liveBuffers();
  for (let round = 0; round < 100; round++) {
    const batch = model.generateBatch([[0, round], [5]], { maxNewTokens: 2, temperature: 0, eosTokenIds: [] });
    for await (const _ of batch) if (round % 2) break;
  }
  expect(model.device.liveBuffers()).toEqual(before);
});
