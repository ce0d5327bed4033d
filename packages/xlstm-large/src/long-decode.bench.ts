import type { Bench } from '@xlstm-tooling/kernel-harness';
import { parseConfig } from './config.ts';
import { generateTokens } from './generate.ts';
import { randomXlstmLarge } from './random-weights.ts';

const TOKENS = 4000;
const WINDOW = 500;

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Decodes 4,000 tokens in one go: time per token, memory and live buffers must be flat in the length of the text. */
const bench: Bench = {
  id: 'long-decode',
  async run(device, report, skip) {
    if (device.info.software) {
      skip('long-decode', 'takes many minutes on a software adapter');
      return;
    }
    const raw = { model_type: 'xlstm', hidden_size: 256, num_heads: 4, num_hidden_layers: 6, vocab_size: 4096 };
    const model = await randomXlstmLarge(device, parseConfig(raw, 'huggingface'), { dtype: 'bf16' });
    const times: number[] = [];
    const memory: number[] = [];
    const buffers: number[] = [];
    let last = performance.now();
    const options = { promptIds: [0], maxNewTokens: TOKENS, eosTokenIds: [], temperature: 0.8, seed: 1 };
    for await (const _ of generateTokens(model, options)) {
      const now = performance.now();
      times.push(now - last);
      last = now;
      if (times.length % 50 === 0) {
        memory.push(process.memoryUsage().rss / 2 ** 20);
        buffers.push(device.liveBuffers().count);
      }
    }
    model.dispose();
    const early = median(times.slice(0, WINDOW));
    const late = median(times.slice(-WINDOW));
    const perWindow = WINDOW / 50;
    report({
      name: `long-decode, stories shape, ${TOKENS} tokens`,
      device: device.name,
      microseconds: median(times) * 1e3,
      columns: {
        'first 500, ms': early.toFixed(3),
        'last 500, ms': late.toFixed(3),
        ratio: (late / early).toFixed(3),
        'first RSS, MB': median(memory.slice(0, perWindow)).toFixed(0),
        'last RSS, MB': median(memory.slice(-perWindow)).toFixed(0),
        'live buffers': `${Math.min(...buffers)}…${Math.max(...buffers)}`,
      },
    });
  },
};
export default bench;
