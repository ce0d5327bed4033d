import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from './index.ts';

interface GoldenText {
  readonly text: string;
  readonly ids: number[];
  readonly decoded: string;
  readonly decoded_skip: string;
}

const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));
const golden = process.env.XLSTM_GOLDEN ?? join(shared, 'golden');
const corpus = process.env.XLSTM_CORPUS ?? join(shared, 'corpus');
const stories = join(shared, 'models', 'stories');
const own = fileURLToPath(new URL('../golden/tokenizer', import.meta.url));
const neox = join(golden, 'tokenizer-neox');

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

/** A `describe` that is skipped, and says so in its title, when a file that it reads is not there. */
function describeWith(title: string, files: readonly string[], body: () => void): void {
  const missing = files.find((file) => !existsSync(file));
  if (missing === undefined) describe(title, body);
  else describe.skip(`${title}: skipped, there is no ${missing}`, () => it.skip('reads it', () => {}));
}

function testTexts(folder: string): void {
  const tokenizer = loadTokenizer({ tokenizerJson: read(folder, 'tokenizer.json') });
  const cases = JSON.parse(read(folder, 'cases.json')) as GoldenText[];
  it('has cases', () => expect(cases.length).toBeGreaterThan(20));
  it.each(cases.map((c) => [JSON.stringify(c.text.slice(0, 30)), c] as const))('%s', (_, c) => {
    expect(tokenizer.encode(c.text, { addBos: false })).toEqual(c.ids);
    for (const [skipSpecialTokens, text] of [[false, c.decoded] as const, [true, c.decoded_skip] as const]) {
      expect(tokenizer.decode(c.ids, { skipSpecialTokens })).toBe(text);
      const stream = tokenizer.stream({ skipSpecialTokens });
      expect(c.ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe(text);
    }
  });
}

describe('golden tokenizer', () => testTexts(own));

describeWith('golden tokenizer-neox', [join(neox, 'tokenizer.json')], () => testTexts(neox));

describeWith('golden corpus', [join(neox, 'corpus.json'), join(corpus, 'stories-valid.txt')], () => {
  it('has the ids whose number and hash are known', () => {
    const expected = JSON.parse(read(neox, 'corpus.json')) as {
      ids: number;
      sha256_of_little_endian_uint32: string;
      first: number[];
    };
    const tokenizer = loadTokenizer({ tokenizerJson: read(neox, 'tokenizer.json') });
    const text = read(corpus, 'stories-valid.txt');
    const ids = tokenizer.encode(text, { addBos: false });
    expect(ids.slice(0, expected.first.length)).toEqual(expected.first);
    expect(ids.length).toBe(expected.ids);
    const bytes = Buffer.alloc(4 * ids.length);
    ids.forEach((id, i) => {
      bytes.writeUInt32LE(id, 4 * i);
    });
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(expected.sha256_of_little_endian_uint32);
    expect(tokenizer.decode(Uint32Array.from(ids))).toBe(text);
  });
});

describeWith('stories model', [join(stories, 'expected.json')], () => {
  it('has the prompts and texts that the reference had', () => {
    const config = JSON.parse(read(stories, 'checkpoint', 'config.json')) as Record<string, number>;
    const tokenizer = loadTokenizer({
      tokenizerJson: read(stories, 'checkpoint', 'tokenizer.json'),
      tokenizerConfig: read(stories, 'checkpoint', 'tokenizer_config.json'),
      bosTokenId: config.bos_token_id,
      eosTokenId: config.eos_token_id,
      vocabSize: config.vocab_size,
    });
    expect(tokenizer).toMatchObject({ kind: 'tokenizer.json', vocabSize: 4096, bosId: 0, eosIds: [0], padId: 1 });
    const { generation } = JSON.parse(read(stories, 'expected.json')) as {
      generation: { prompt: string; prompt_ids: number[]; greedy_ids: number[]; greedy_text: string }[];
    };
    expect(generation.length).toBe(4);
    for (const { prompt, prompt_ids, greedy_ids, greedy_text } of generation) {
      expect(tokenizer.encode(prompt)).toEqual(prompt_ids);
      const stream = tokenizer.stream({ skipSpecialTokens: true });
      expect(greedy_ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe(greedy_text);
    }
  });
});
