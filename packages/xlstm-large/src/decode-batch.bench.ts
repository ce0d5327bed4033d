import type { Device } from '@xlstm/device';
import type { Bench } from '@xlstm-tooling/kernel-harness';
import type { XlstmLargeConfig } from './config.ts';
import { generateTokens } from './generate.ts';
import { generateBatch } from './inference/batch-generate.ts';
import type { XLSTMLarge } from './model.ts';
import { randomXlstmLarge } from './random-weights.ts';
import { SEVEN_B, STORIES, withGateModel } from './testing/bench-models.ts';

const BATCHES = [1, 8, 32];

/** Every other sequence is greedy, the rest draw from what top-p keeps. */
function requestsOf(model: XLSTMLarge, batch: number, maxNewTokens: number) {
  return Array.from({ length: batch }, (_, index) => ({
    promptIds: Array.from({ length: 16 }, (_, at) => (at * 31 + index * 7) % model.config.vocabSize),
    maxNewTokens,
    eosTokenIds: [],
    seed: index,
    ...(index % 2 === 0 ? { temperature: 0 } : { temperature: 0.8, topP: 0.95 }),
  }));
}

/** Gate: a sequence must begin as it does alone. Random weights make near ties, so that not all of it is compared. */
async function check(model: XLSTMLarge, batch: number): Promise<void> {
  const requests = requestsOf(model, batch, 1);
  const first = new Map<number, number>();
  for await (const event of generateBatch(model, requests, { maxBatch: batch })) {
    if (event.type === 'token') first.set(event.index, event.id);
  }
  for (const index of [0, batch - 1]) {
    for await (const { id } of generateTokens(model, requests[index]!)) {
      if (id === first.get(index)) continue;
      throw new Error(
        `decode-batch: sequence ${index} begins with ${first.get(index)}, alone with ${id}; not timing it`,
      );
    }
  }
}

/** Milliseconds of a step, without the first quarter of the steps, and its launches. */
async function timeSteps(model: XLSTMLarge, batch: number, steps: number) {
  const ends: number[] = [];
  let dispatches = 0;
  for await (const event of generateBatch(model, requestsOf(model, batch, steps), { maxBatch: batch })) {
    if (event.type === 'end') dispatches = event.outcome.timings.dispatchesPerToken;
    else if (event.index === batch - 1) ends.push(performance.now());
  }
  const skipped = steps >> 2;
  return { milliseconds: (ends.at(-1)! - ends[skipped]!) / (ends.length - 1 - skipped), dispatches };
}

async function benchBatch(device: Device, model: XLSTMLarge, batch: number, steps: number) {
  await timeSteps(model, batch, 8);
  const { milliseconds, dispatches } = await timeSteps(model, batch, steps);
  const state = model.createState();
  const stateBytes = state.byteLength;
  state.dispose();
  const weights = model.weights.byteLength - model.weights.get('embedding').byteLength;
  const bytes = weights + 2 * batch * stateBytes;
  return {
    device: device.name,
    microseconds: milliseconds * 1e3,
    gigabytesPerSecond: bytes / milliseconds / 1e6,
    columns: {
      'tokens/s in all': ((1000 * batch) / milliseconds).toFixed(1),
      'ms a step': milliseconds.toFixed(3),
      dispatches,
      'GB a step': (bytes / 1e9).toFixed(3),
    },
  };
}

const bench: Bench = {
  id: 'decode-batch',
  async run(device, report, skip) {
    const slow = device.kind === 'cpu' || device.info.software;
    const shapes: [string, XlstmLargeConfig, number][] = [
      ['stories shape, bf16', STORIES, slow ? 12 : 200],
      ['7B shape, bf16', SEVEN_B, 128],
    ];
    for (const [name, config, steps] of shapes) {
      if (slow && config.embeddingDim > 1000) {
        skip(`decode-batch ${name}`, '13.7 GB a step are too much for a device in software');
        continue;
      }
      await withGateModel(device, config, 'bf16', async (model) => {
        for (const batch of BATCHES) await check(model, batch);
      });
      const model = await randomXlstmLarge(device, config, { dtype: 'bf16' });
      try {
        for (const batch of BATCHES) {
          report({ name: `decode-batch ${name}, batch ${batch}`, ...(await benchBatch(device, model, batch, steps)) });
        }
      } finally {
        model.dispose();
      }
    }
  },
};
export default bench;
