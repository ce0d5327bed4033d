import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadTokenizer } from '@xlstm/tokenizer';
import { expect, test } from 'vitest';
import { openCorpus } from './corpus.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const cacheDir = temporaryFolder();
const ROOT = resolve(import.meta.dirname, '../../../..');
const CORPUS = resolve(process.env.XLSTM_CORPUS || resolve(ROOT, '../shared/corpus'), 'stories-valid.txt');
const MODELS = resolve(ROOT, 'apps/cli/models');
const { valid_bytes_per_token: bytesPerToken } = JSON.parse(
  readFileSync(resolve(MODELS, 'stories-expected.json'), 'utf8'),
) as { valid_bytes_per_token?: number };
const missing = !existsSync(CORPUS) ? ' (skipped: no corpus)' : bytesPerToken ? '' : ' (skipped: no expected count)';

test.skipIf(missing)(`the validation stories are as many tokens as the reference counted${missing}`, async () => {
  const tokenizerJson = readFileSync(resolve(MODELS, 'stories/tokenizer.json'), 'utf8');
  const tokenizer = loadTokenizer({ tokenizerJson });
  const { stream, text } = await openCorpus({
    path: CORPUS,
    documentSeparator: '<|endoftext|>',
    cacheDir,
    tokenizer: {
      tokenize: (part) => tokenizer.encode(part, { addBos: false }),
      vocabSize: tokenizer.vocabSize,
      documentId: 0,
      fingerprint: createHash('sha256').update(tokenizerJson).digest('hex'),
    },
  });
  expect(stream.tokens).toBe(Math.round(statSync(CORPUS).size / bytesPerToken!));
  expect(text?.documents).toBe(26);
  await stream.close();
});
