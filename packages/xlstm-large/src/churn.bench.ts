import type { Bench } from '@xlstm-tooling/kernel-harness';
import { parseConfig } from './config.ts';
import { generateTokens } from './generate.ts';
import { randomXlstmLarge } from './random-weights.ts';

const ROUNDS = 1000;
/** A software adapter takes a second for some ten generations. */
const SOFTWARE_ROUNDS = 200;
/** Pages of memory that come and go by themselves, in MiB. Keeping 100 KiB a generation would be more. */
const SLACK = 64;

/** 1,000 short generations, a third of them aborted or broken off: buffers and memory must be where they were. */
const bench: Bench = {
  id: 'churn',
  async run(device, report) {
    const raw = { model_type: 'xlstm', hidden_size: 64, num_heads: 2, num_hidden_layers: 2, vocab_size: 512 };
    const model = await randomXlstmLarge(device, parseConfig(raw, 'huggingface'), { dtype: 'bf16' });
    const generate = async (round: number): Promise<void> => {
      const abort = new AbortController();
      const options = { promptIds: [0, round % 512], maxNewTokens: 4, eosTokenIds: [], signal: abort.signal };
      let count = 0;
      try {
        for await (const _ of generateTokens(model, options)) {
          count++;
          if (round % 6 === 0 && count === 2) break;
          if (round % 6 === 3 && count === 2) abort.abort();
        }
      } catch (error) {
        if (!abort.signal.aborted) throw error;
      }
    };
    for (let round = 0; round < 12; round++) await generate(round);
    const before = device.liveBuffers();
    const memory = process.memoryUsage().rss;
    const start = performance.now();
    const rounds = device.info.software ? SOFTWARE_ROUNDS : ROUNDS;
    const compiled = device.compiledPipelines;
    let halfway = 0;
    for (let round = 0; round < rounds; round++) {
      if (2 * round === rounds) halfway = process.memoryUsage().rss;
      await generate(round);
    }
    const milliseconds = (performance.now() - start) / rounds;
    const after = device.liveBuffers();
    if (after.count !== before.count || after.bytes !== before.bytes) {
      throw new Error(
        `churn: ${after.count - before.count} buffers (${after.bytes - before.bytes} bytes) were left behind`,
      );
    }
    if (device.compiledPipelines !== compiled) {
      throw new Error(`churn: ${device.compiledPipelines - compiled} shaders were compiled again`);
    }
    const mebibytes = (bytes: number) => bytes / 2 ** 20;
    const late = mebibytes(process.memoryUsage().rss - halfway);
    if (late > SLACK) throw new Error(`churn: memory grew by ${late.toFixed(0)} MiB in the second half`);
    report({
      name: `churn, ${rounds} generations`,
      device: device.name,
      microseconds: milliseconds * 1e3,
      columns: {
        'buffers before': before.count,
        'buffers after': after.count,
        'RSS grew, MiB': mebibytes(process.memoryUsage().rss - memory).toFixed(0),
        'in the second half, MiB': late.toFixed(0),
      },
    });
    model.dispose();
  },
};
export default bench;
