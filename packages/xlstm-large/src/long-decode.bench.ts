import type { Device } from '@xlstm/device';
import type { Bench } from '@xlstm-tooling/kernel-harness';
import type { XlstmLargeConfig } from './config.ts';
import { generateTokens } from './generate.ts';
import { randomXlstmLarge } from './random-weights.ts';
import { STORIES, shapeOf } from './testing/bench-models.ts';

const TOKENS = 10_000;
/** A software adapter takes a second for a thousand tokens of a small shape, or ten where others use the machine. */
const SOFTWARE_TOKENS = 4_000;
const WINDOWS = 10;
/** How much memory may come in the second half, in MiB: a token that left 10 KiB behind would be more. */
const SLACK = 48;

const SMALL = shapeOf({ hidden_size: 64, num_heads: 2, num_hidden_layers: 2, vocab_size: 512 });

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** What was seen in a tenth of the text. */
interface Window {
  milliseconds: number;
  mebibytes: number;
  buffers: number;
}

async function decode(device: Device, config: XlstmLargeConfig, tokens: number): Promise<Window[]> {
  const model = await randomXlstmLarge(device, config, { dtype: 'bf16' });
  const windows: Window[] = [];
  let times: number[] = [];
  let buffers = 0;
  let last = performance.now();
  const options = { promptIds: [0], maxNewTokens: tokens, eosTokenIds: [], temperature: 0.8, seed: 1 };
  try {
    for await (const _ of generateTokens(model, options)) {
      const now = performance.now();
      times.push(now - last);
      last = now;
      buffers = Math.max(buffers, device.liveBuffers().count);
      if (times.length < tokens / WINDOWS) continue;
      windows.push({ milliseconds: median(times), mebibytes: process.memoryUsage().rss / 2 ** 20, buffers });
      times = [];
      buffers = 0;
    }
  } finally {
    model.dispose();
  }
  return windows;
}

/**
 * Decodes 10,000 tokens in one go: time per token, memory and live buffers must be flat in the length of the text. Fails
 * where buffers or memory grow; the time, in which is whatever else the machine does, is told.
 */
const bench: Bench = {
  id: 'long-decode',
  async run(device, report) {
    const { software } = device.info;
    const tokens = software ? SOFTWARE_TOKENS : TOKENS;
    const windows = await decode(device, software ? SMALL : STORIES, tokens);
    const of = (pick: keyof Window) => windows.map((window) => window[pick]);
    const [buffers, memory, times] = [of('buffers'), of('mebibytes'), of('milliseconds')];
    if (Math.max(...buffers) !== Math.min(...buffers)) {
      throw new Error(`long-decode: the number of live buffers changed: ${buffers.join(', ')}`);
    }
    const grown = memory.at(-1)! - memory[WINDOWS / 2]!;
    if (grown > SLACK) throw new Error(`long-decode: memory grew by ${grown.toFixed(0)} MiB in the second half`);
    const drift = median(times.slice(-3)) / median(times.slice(0, 3));
    report({
      name: `long-decode, ${software ? 'small' : 'stories'} shape, ${tokens} tokens`,
      device: device.name,
      microseconds: median(times) * 1e3,
      columns: {
        'drift of the time': drift.toFixed(3),
        [`ms a token, per ${tokens / WINDOWS}`]: times.map((time) => time.toFixed(2)).join(' '),
        'RSS, MiB': memory.map((size) => size.toFixed(0)).join(' '),
        'live buffers': buffers[0]!,
      },
    });
  },
};
export default bench;
