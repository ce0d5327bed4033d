import { readFile } from 'node:fs/promises';
import { it } from 'vitest';
import { evaluateText } from './evaluate-text.ts';
import { fromPretrained } from './from-pretrained.ts';

it('quality', async () => {
  const text = await readFile('/work/shared/corpus/stories-valid.txt', 'utf8');
  const expected = JSON.parse(await readFile('apps/cli/models/stories-expected.json', 'utf8'));
  for (const dtype of ['fp32', 'q8', 'q4'] as const) {
    const start = performance.now();
    const model = await fromPretrained('apps/cli/models/stories', { device: 'cpu', dtype });
    const loadTime = performance.now() - start;
    const { loss, tokens, seconds } = await evaluateText(model, text, {
      maxTokens: Number(process.env.TOKENS ?? 4096),
    });
    let same = 0;
    const rate = 0;
    for (const { prompt, greedy_ids } of expected.generation) {
      const result = await model
        .generate(prompt, { maxNewTokens: greedy_ids.length, temperature: 0, eosTokenIds: [] })
        .result();
      if (String(result.tokenIds) === String(greedy_ids)) same++;
      else
        console.log(
          dtype,
          result.tokenIds.findIndex((id, at) => id !== greedy_ids[at]),
          'of',
          greedy_ids.length,
        );
    }
    const r = await model.generate('Once upon a time', { maxNewTokens: 200, temperature: 0, eosTokenIds: [] }).result();
    console.log(
      JSON.stringify(
        { dtype, loadTime, bytes: model.model.weights.byteLength, loss, tokens, seconds, same, t: r },
        (k, v) => (k === 'text' || k === 'tokenIds' || k === 'promptIds' ? undefined : v),
      ),
    );
    await model.dispose();
  }
}, 600_000);
