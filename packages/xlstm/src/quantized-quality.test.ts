import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createCpuDevice, type WeightDtype } from '@xlstm/device';
import { forwardLogits } from '@xlstm/xlstm-large';
import { afterAll, describe, expect, it } from 'vitest';
import { fromPretrained, type XlstmModel } from './from-pretrained.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const STORIES = resolve(ROOT, 'apps/cli/models/stories');
const CORPUS = resolve(process.env.XLSTM_CORPUS || resolve(ROOT, '../shared/corpus'), 'stories-valid.txt');
if (!existsSync(CORPUS)) console.warn(`skipped: there is no ${CORPUS}; set XLSTM_CORPUS to its folder`);
const told = JSON.parse(readFileSync(resolve(ROOT, 'apps/cli/models/stories-expected.json'), 'utf8')) as {
  generation: { prompt: string; greedy_ids: number[] }[];
};

/** Tokens of the validation text that are predicted: of twice as many the means are much the same, and each takes 4 ms. */
const TOKENS = 512;

/** log of a softmax, float64. */
function logProbabilities(row: Float32Array): Float64Array {
  const most = row.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY);
  const log = most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return Float64Array.from(row, (value) => value - log);
}

describe('the stories model, quantised', () => {
  const device = createCpuDevice();
  afterAll(() => device.dispose());

  /** The log probabilities of each position of the validation text, and how they do on it. */
  async function read(model: XlstmModel): Promise<{ predictions: Float64Array[]; loss: number }> {
    const [document] = readFileSync(CORPUS, 'utf8').split('<|endoftext|>');
    const ids = [0, ...model.tokenizer.encode(document!.trim(), { addBos: false })].slice(0, TOKENS + 1);
    const V = model.config.vocabSize;
    const predictions: Float64Array[] = [];
    using state = model.model.createState();
    for await (const { logits } of forwardLogits(model.model, [ids.slice(0, -1)], state)) {
      for (let at = 0; at < logits.length; at += V) predictions.push(logProbabilities(logits.subarray(at, at + V)));
    }
    const loss = predictions.reduce((sum, row, at) => sum - row[ids[at + 1]!]!, 0) / predictions.length;
    return { predictions, loss };
  }

  const load = (dtype: WeightDtype) => fromPretrained(STORIES, { device, dtype });

  it.skipIf(!existsSync(CORPUS))(
    'predicts the validation text as in fp32, but for 0.002 nats in q8 and 0.05 in q4',
    async () => {
      const floats = await load('fp32');
      const exact = await read(floats);
      await floats.dispose();
      for (const [dtype, mostLoss, mostKl] of [
        ['q8', 0.002, 1e-4],
        ['q4', 0.05, 0.025],
      ] as const) {
        const model = await load(dtype);
        const { predictions, loss } = await read(model);
        await model.dispose();
        expect(predictions).toHaveLength(TOKENS);
        // Losses may cancel out; the mean Kullback-Leibler divergence from the float model's predictions cannot.
        const kl =
          predictions.reduce((sum, row, at) => {
            const p = exact.predictions[at]!;
            return sum + p.reduce((each, log, v) => each + Math.exp(log) * (log - row[v]!), 0);
          }, 0) / TOKENS;
        console.info(
          `${dtype}: ${loss.toFixed(5)} nats per token, ${(loss - exact.loss).toExponential(1)} from fp32, KL ${kl.toExponential(2)}`,
        );
        expect(Math.abs(loss - exact.loss)).toBeLessThan(mostLoss);
        expect(kl).toBeLessThan(mostKl);
      }
    },
    120_000,
  );

  it('says in q8 what it says in fp32, to at least three of four prompts', async () => {
    const model = await load('q8');
    let same = 0;
    for (const { prompt, greedy_ids } of told.generation) {
      const options = { maxNewTokens: greedy_ids.length, temperature: 0, eosTokenIds: [] };
      const { tokenIds } = await model.generate(prompt, options).result();
      if (`${tokenIds}` === `${greedy_ids}`) same++;
    }
    await model.dispose();
    expect(told.generation).toHaveLength(4);
    expect(same).toBeGreaterThanOrEqual(3);
  });
});
