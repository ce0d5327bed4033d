import { createCpuDevice, OptionError } from '@xlstm/device';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateTokens } from './generate.ts';
import { logprobsOf } from './logprobs.ts';
import { randomModel } from './testing/random-model.ts';

describe('logprobs', () => {
  it('are a log softmax, the best ones sorted, ties in order', () => {
    const logits = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(logits, fc.nat(20), (values, count) => {
        const row = Float32Array.from(values);
        const all = row.reduce((sum, value) => sum + Math.exp(value), 0);
        const { logprob, top } = logprobsOf(row, 0, count);
        expect(logprob).toBeCloseTo(Math.log(Math.exp(row[0]!) / all), 9);
        const expected = values.map((_, id) => id).sort((a, b) => row[b]! - row[a]! || a - b);
        expect(top.map(({ id }) => id)).toEqual(expected.slice(0, count));
      }),
    );
  });

  it('come with each token, and the greedy token is the most likely one', async () => {
    const model = await randomModel(createCpuDevice());
    for await (const { id, logprobs } of generateTokens(model, {
      promptIds: [0, 3],
      maxNewTokens: 4,
      temperature: 0,
      eosTokenIds: [],
      logprobs: 3,
    })) {
      expect(logprobs!.top).toHaveLength(3);
      expect(logprobs!.top[0]).toEqual({ id, logprob: logprobs!.logprob });
    }
    await expect(generateTokens(model, { promptIds: [0], logprobs: 21 }).next()).rejects.toThrow(OptionError);
    model.dispose();
  });
});
