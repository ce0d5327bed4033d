import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { OptionError, TokenizerError } from '@xlstm/device';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BpeProgress, loadTokenizer, type TrainByteLevelBpeOptions, trainByteLevelBpe } from '../index.ts';

const shared = fileURLToPath(new URL('../../../../../shared/', import.meta.url));
const corpus = process.env.XLSTM_CORPUS ?? join(shared, 'corpus');
const published = join(shared, 'models', 'stories', 'checkpoint', 'tokenizer.json');
const eot = '<|endoftext|>';

const cases = JSON.parse(readFileSync(new URL('../../golden/bpe-training/cases.json', import.meta.url), 'utf8')) as {
  cases: { texts: string[]; vocab_size: number; min_frequency: number; merges: unknown; ids: number[][] }[];
};

/** All of Unicode, and what BPE finds hard: runs, combining marks, white space of all kinds, special tokens. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('aaa', ' ', '  \n', '\t', "'s", 'e\u0301', '\u0085', '\ufeff', eot, '🙂', '½1'),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

async function* streamed(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}

describe('trainByteLevelBpe', () => {
  it.each(cases.cases.map((c, i) => [i, c] as const))(
    'learns what Hugging Face’s trainer learns: case %i',
    async (_, c) => {
      const json = await trainByteLevelBpe(c.texts, { vocabSize: c.vocab_size, minFrequency: c.min_frequency });
      expect(json.model.merges).toEqual(c.merges);
      const tokenizer = loadTokenizer({ tokenizerJson: json });
      expect(c.texts.map((text) => tokenizer.encode(text))).toEqual(c.ids);
    },
  );

  it('gives any text back, with the ids that the Hugging Face library gives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { maxLength: 4 }), anyText, async (texts, other) => {
        const json = await trainByteLevelBpe(['some text', ...texts], { vocabSize: 300, minFrequency: 1 });
        const tokenizer = loadTokenizer({ tokenizerJson: JSON.stringify(json) });
        const library = new LibraryTokenizer(json, {});
        for (const text of [...texts, other]) {
          const ids = tokenizer.encode(text);
          expect(tokenizer.decode(ids)).toBe(
            text
              .split(eot)
              .map((part) => part.normalize('NFC'))
              .join(eot),
          );
          // Where JavaScript's white space is not Unicode's, the library alone splits otherwise than the original.
          if (!/[\u0085\ufeff]/.test(text))
            expect(library.encode(text, { add_special_tokens: false }).ids).toEqual(ids);
        }
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  it('gives the same file for the same texts, however they come', async () => {
    const texts = ['the cat and the hat', 'a hat for the cat', 'cat hat mat'];
    const file = JSON.stringify(await trainByteLevelBpe(texts, { vocabSize: 270 }));
    expect(JSON.stringify(await trainByteLevelBpe(streamed(texts), { vocabSize: 270 }))).toBe(file);
    expect(JSON.stringify(await trainByteLevelBpe(new Set(texts).values(), { vocabSize: 270 }))).toBe(file);
  });

  it('keeps special tokens whole, with ids from 0, and learns nothing across them', async () => {
    const specialTokens = ['<|end|>', '<|end|>x', '(.*)'];
    const text = 'ab<|end|>ab<|end|>xab(.*)'.repeat(9);
    const json = await trainByteLevelBpe([text], { vocabSize: 400, specialTokens });
    expect(json.model.merges).toEqual([['a', 'b']]);
    expect(json.added_tokens.map(({ id, content }) => [id, content])).toEqual([...specialTokens.entries()]);
    expect(Object.keys(json.model.vocab).length).toBe(3 + 256 + 1);
    const tokenizer = loadTokenizer({ tokenizerJson: json });
    expect(tokenizer.encode('<|end|>ab<|end|>x(.*)')).toEqual([0, 259, 1, 2]);
    // `Ã©` is how é looks in the alphabet of bytes: as a special token it must stay apart from it.
    const lookalike = await trainByteLevelBpe(['éé éé'], { vocabSize: 300, specialTokens: ['Ã©'] });
    expect(lookalike.model.merges).not.toContainEqual(['Ã', '©']);
    expect(loadTokenizer({ tokenizerJson: lookalike }).decode([0])).toBe('Ã©');
    expect((await trainByteLevelBpe([text], { vocabSize: 257, specialTokens: [] })).added_tokens).toEqual([]);
  });

  it('keeps tokens whose names objects know', async () => {
    const text = 'constructor valueOf hasOwnProperty '.repeat(3);
    const json = await trainByteLevelBpe([text], { vocabSize: 400, specialTokens: ['__proto__'] });
    const tokenizer = loadTokenizer({ tokenizerJson: JSON.stringify(json) });
    for (const token of ['__proto__', 'constructor', 'ĠvalueOf', 'ĠhasOwnProperty']) {
      const { value: id } = Object.getOwnPropertyDescriptor(json.model.vocab, token)!;
      expect(tokenizer.encode(token.replace('Ġ', ' '))).toEqual([id]);
    }
  });

  it('stops where nothing comes often enough', async () => {
    const at = (minFrequency: number) => trainByteLevelBpe(['aab aab ab'], { vocabSize: 400, minFrequency });
    expect((await at(3)).model.merges).toEqual([['a', 'b']]);
    expect((await at(2)).model.merges).toEqual([
      ['a', 'b'],
      ['a', 'ab'],
    ]);
    expect((await at(4)).model.merges).toEqual([]);
  });

  it('reports progress', async () => {
    const seen: BpeProgress[] = [];
    const text = 'one two three two one';
    await trainByteLevelBpe([text, text], { vocabSize: 262, onProgress: (progress) => seen.push(progress) });
    expect(seen[0]).toEqual({ phase: 'counting', done: 2 * text.length, total: undefined });
    expect(seen.at(1)).toEqual({ phase: 'merging', done: 257, total: 262 });
    expect(seen.at(-1)).toEqual({ phase: 'merging', done: 262, total: 262 });
  });

  it('can be aborted before, while it reads and while it merges', async () => {
    const reason = new Error('enough');
    await expect(trainByteLevelBpe(['a'], { vocabSize: 300, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

    const aborted = async (phase: BpeProgress['phase'], texts: Iterable<string>) => {
      const controller = new AbortController();
      const options: TrainByteLevelBpeOptions = {
        vocabSize: 100_000,
        signal: controller.signal,
        minFrequency: 1,
        onProgress: (progress) => {
          if (progress.phase === phase) controller.abort(reason);
        },
      };
      await expect(trainByteLevelBpe(texts, options)).rejects.toBe(reason);
    };
    let read = 0;
    const endless = function* (): Generator<string> {
      for (;;) yield `text ${read++} of many`;
    };
    await aborted('counting', endless());
    expect(read).toBeGreaterThan(0);
    const words = Array.from({ length: 40_000 }, (_, i) => (i * 2654435761).toString(26).replace(/\d/g, 'z'));
    await aborted('merging', [words.join(' ')]);
  });

  it.each<[string, unknown, Partial<TrainByteLevelBpeOptions>, new () => Error, RegExp]>([
    [
      'a small vocabulary',
      ['a'],
      { vocabSize: 256 },
      OptionError,
      /vocabSize must be an integer in 257\.\.\d+ .* got 256/,
    ],
    ['more special tokens', ['a'], { vocabSize: 257, specialTokens: ['<a>', '<b>'] }, OptionError, /in 258\.\./],
    ['half an entry', ['a'], { vocabSize: 300.5 }, OptionError, /got 300\.5/],
    ['a huge vocabulary', ['a'], { vocabSize: 2 ** 25 }, OptionError, /got 33554432/],
    ['minFrequency 0', ['a'], { minFrequency: 0 }, OptionError, /minFrequency must be an integer of 1 or more, got 0/],
    ['a byte as special token', ['a'], { specialTokens: ['a'] }, OptionError, /specialTokens\[0\] must be longer/],
    ['an empty special token', ['a'], { specialTokens: ['<a>', ''] }, OptionError, /specialTokens\[1\] must be a text/],
    ['a special token twice', ['a'], { specialTokens: ['<a>', '<a>'] }, OptionError, /there once only/],
    ['an unknown option', ['a'], { vocab: 1 } as object, OptionError, /unknown option vocab; known are vocabSize/],
    ['a text for texts', 'text', {}, OptionError, /one text goes into \[text\]/],
    ['a number for texts', 7, {}, OptionError, /got 7/],
    ['no texts', [], {}, TokenizerError, /there is no text to learn from/],
    ['empty texts', ['', eot], {}, TokenizerError, /there is no text to learn from.*check what is read/],
    ['a text that is none', ['a', 7], {}, TokenizerError, /every text must be a string, got 7/],
  ])('refuses %s', async (_, texts, options, error, message) => {
    const training = trainByteLevelBpe(texts as string[], { vocabSize: 300, ...options });
    await expect(training).rejects.toThrow(error);
    await expect(training).rejects.toThrow(message);
  });
});

const stories = join(corpus, 'stories-train.txt');
const missing = [stories, published].find((file) => !existsSync(file));

describe.skipIf(missing !== undefined)(`the stories${missing ? `: skipped, there is no ${missing}` : ''}`, () => {
  it('give the published tokenizer, entry for entry and merge for merge', async () => {
    const expected = JSON.parse(readFileSync(published, 'utf8')) as { added_tokens: { content: string }[] };
    const json = await trainByteLevelBpe([readFileSync(stories, 'utf8')], {
      vocabSize: 4096,
      specialTokens: expected.added_tokens.map(({ content }) => content),
    });
    expect(json).toEqual(expected);
    const valid = readFileSync(join(corpus, 'stories-valid.txt'), 'utf8');
    const ids = loadTokenizer({ tokenizerJson: json }).encode(valid);
    expect(ids).toEqual(new LibraryTokenizer(json, {}).encode(valid, { add_special_tokens: false }).ids);
  });
});
