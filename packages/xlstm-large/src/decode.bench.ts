import type { Device } from '@xlstm/device';
import type { Bench } from '@xlstm-tooling/kernel-harness';
import { compare } from '@xlstm-tooling/kernel-harness';
import { parseConfig, type XlstmLargeConfig } from './config.ts';
import { generateTokens } from './generate.ts';
import type { XLSTMLarge } from './model.ts';
import { prefill } from './prefill.ts';
import { randomXlstmLarge } from './random-weights.ts';

const SEVEN_B = { model_type: 'xlstm', hidden_size: 4096, num_heads: 8, num_hidden_layers: 32, vocab_size: 50304 };
const STORIES = { model_type: 'xlstm', hidden_size: 256, num_heads: 4, num_hidden_layers: 6, vocab_size: 4096 };

/** Reads and writes of one decoded token: every weight but the embedding table once, the state twice. */
function bytesPerToken(model: XLSTMLarge, stateBytes: number): number {
  return model.weights.byteLength - model.weights.matrix('embedding').byteLength + 2 * stateBytes;
}

/** Gate: reading tokens one by one must give the logits of reading them at once. */
async function checkSteps(device: Device, model: XLSTMLarge): Promise<void> {
  const ids = Array.from({ length: 21 }, (_, at) => (at * 7919) % model.config.vocabSize);
  const [whole, steps] = [model.createState(), model.createState()];
  await prefill(model, [ids], whole);
  for (const id of ids) await prefill(model, [[id]], steps);
  const expected = (await device.read(whole.logits)) as Float32Array;
  const actual = (await device.read(steps.logits)) as Float32Array;
  const { pass, relativeRms } = compare(actual, expected, { relativeRms: 1e-3, atol: 0.05, rtol: 0.01 });
  whole.dispose();
  steps.dispose();
  if (!pass) throw new Error(`decode: steps and prefill disagree (relative RMS ${relativeRms}); not timing it`);
}

async function timeDecode(device: Device, model: XLSTMLarge, tokens: number) {
  const state = model.createState();
  const stateBytes = state.byteLength - state.logits.byteLength;
  const times: number[] = [];
  let dispatches = 0;
  let prefillRate = 0;
  const promptIds = Array.from({ length: 64 }, (_, at) => (at * 31) % model.config.vocabSize);
  const options = {
    promptIds,
    maxNewTokens: tokens,
    temperature: 0,
    eosTokenIds: [],
    state,
    onEnd: ({ timings }: { timings: { dispatchesPerToken: number; prefillTokensPerSecond: number } }) => {
      dispatches = timings.dispatchesPerToken;
      prefillRate = timings.prefillTokensPerSecond;
    },
  };
  let last = performance.now();
  for await (const _ of generateTokens(model, options)) {
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  state.dispose();
  const steady = times.slice(Math.min(16, times.length >> 1)).sort((a, b) => a - b);
  const milliseconds = steady.reduce((sum, time) => sum + time, 0) / steady.length;
  return { milliseconds, dispatches, prefillRate, bytes: bytesPerToken(model, stateBytes), device: device.name };
}

const bench: Bench = {
  id: 'decode',
  async run(device, report, skip) {
    const slow = device.kind === 'cpu' || device.info.software;
    const shapes: [string, XlstmLargeConfig, 'bf16' | 'fp32', number][] = [
      ['stories shape, bf16', parseConfig(STORIES, 'huggingface'), 'bf16', slow ? 40 : 400],
      ['7B shape, bf16', parseConfig(SEVEN_B, 'huggingface'), 'bf16', 400],
    ];
    for (const [name, config, dtype, tokens] of shapes) {
      if (slow && config.embeddingDim > 1000) {
        skip(`decode ${name}`, '13.7 GB a token are too much for a device in software');
        continue;
      }
      const model = await randomXlstmLarge(device, config, { dtype });
      try {
        await checkSteps(device, model);
        await timeDecode(device, model, 8);
        const result = await timeDecode(device, model, tokens);
        report({
          name: `decode ${name}, batch 1`,
          device: device.name,
          microseconds: result.milliseconds * 1e3,
          gigabytesPerSecond: result.bytes / result.milliseconds / 1e6,
          columns: {
            'tokens/s': (1000 / result.milliseconds).toFixed(1),
            dispatches: result.dispatches,
            'GB a token': (result.bytes / 1e9).toFixed(3),
            'prefill 64 tokens/s': result.prefillRate.toFixed(0),
          },
        });
      } finally {
        model.dispose();
      }
    }
  },
};
export default bench;
