import { readFileSync } from 'node:fs';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteTokenizer, loadTokenizer, type Tokenizer } from './index.ts';

const tokenizerJson = readFileSync(new URL('../golden/tokenizer/tokenizer.json', import.meta.url), 'utf8');
const bpe = loadTokenizer({ tokenizerJson, bosTokenId: 0 });
const bytes = byteTokenizer({ vocabSize: 300, bosTokenId: 0, padTokenId: 1, eosTokenId: 2 });

const awkward = fc.constantFrom(
  '👩‍👩‍👧‍👦',
  '🇦🇹',
  'é',
  'à́̂',
  '﷽',
  '\ufeff',
  '\u0085',
  '\ufffd',
  '𝔘',
  '한',
  '  \n',
  '<|endoftext|>',
);
const text = fc
  .array(fc.oneof(awkward, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), { maxLength: 12 })
  .map((parts) => parts.join(''));

/** The pieces that a stream emits, the flushed rest last. */
function pieces(tokenizer: Tokenizer, ids: readonly number[], skipSpecialTokens: boolean): string[] {
  const stream = tokenizer.stream({ skipSpecialTokens });
  return [...ids.map((id) => stream.push(id)), stream.flush()];
}

describe.each([
  ['tokenizer.json', bpe],
  ['bytes', bytes],
])('%s', (_, tokenizer) => {
  const ids = fc.array(fc.nat(tokenizer.vocabSize - 1), { maxLength: 60 });

  it('streams any text back whole: no U+FFFD that is not in it, no half of a surrogate pair', () => {
    fc.assert(
      fc.property(text, fc.boolean(), (input, skip) => {
        const emitted = pieces(tokenizer, tokenizer.encode(input, { addBos: false }), skip);
        // BPE normalises to NFC; the byte tokenizer leaves text as it is.
        const whole = tokenizer === bpe ? normalizeAround(input) : input;
        expect(emitted.join('')).toBe(skip && tokenizer === bpe ? whole.replaceAll('<|endoftext|>', '') : whole);
        for (const piece of emitted) expect(piece).not.toMatch(/\p{Surrogate}/u);
        expect(emitted.at(-1)).toBe('');
      }),
      { numRuns: 500 },
    );
  });

  it('emits for any ids exactly what decode gives', () => {
    fc.assert(
      fc.property(ids, fc.boolean(), (sequence, skipSpecialTokens) => {
        const emitted = pieces(tokenizer, sequence, skipSpecialTokens);
        expect(emitted.join('')).toBe(tokenizer.decode(sequence, { skipSpecialTokens }));
        for (const piece of emitted) expect(piece).not.toMatch(/\p{Surrogate}/u);
      }),
      { numRuns: 1000 },
    );
  });
});

/** NFC as the tokenizer applies it: special tokens are cut out first, so that nothing combines across them. */
function normalizeAround(input: string): string {
  return input
    .split('<|endoftext|>')
    .map((part) => part.normalize('NFC'))
    .join('<|endoftext|>');
}

it('decodes any ids as the library does', () => {
  const library = new LibraryTokenizer(JSON.parse(tokenizerJson), { clean_up_tokenization_spaces: false });
  fc.assert(
    fc.property(fc.array(fc.nat(bpe.vocabSize - 1), { minLength: 1 }), fc.boolean(), (ids, skip) => {
      expect(bpe.decode(ids, { skipSpecialTokens: skip })).toBe(library.decode(ids, { skip_special_tokens: skip }));
    }),
    { numRuns: 500 },
  );
});

describe('a stream', () => {
  const push = (hex: string): string[] => {
    const stream = bytes.stream();
    return [...Buffer.from(hex, 'hex')].map((byte) => stream.push(byte + 3)).concat(stream.flush());
  };

  it('holds an emoji back until its last byte', () => {
    expect(push('f09f9982')).toEqual(['', '', '', '🙂', '']);
  });

  it('emits U+FFFD for a character cut short, when it is known and at the end', () => {
    expect(push('f09f41')).toEqual(['', '', '\ufffdA', '']);
    expect(push('e282')).toEqual(['', '', '\ufffd']);
    expect(push('ff41').join('')).toBe('\ufffdA');
  });

  it('keeps a leading U+FEFF', () => {
    expect(push('efbbbf41').join('')).toBe('\ufeffA');
  });

  it('joins a character around a skipped special token, as decode does', () => {
    const stream = bytes.stream({ skipSpecialTokens: true });
    const ids = [0xc3 + 3, 0, 0xa9 + 3];
    expect(ids.map((id) => stream.push(id))).toEqual(['', '', 'é']);
  });

  it('starts anew after flush, and is unharmed by an id out of range', () => {
    const stream = bytes.stream();
    stream.push(0xe2 + 3);
    expect(stream.flush()).toBe('\ufffd');
    stream.push(0xc3 + 3);
    for (const id of [-1, 300, 1.5, Number.NaN]) expect(() => stream.push(id)).toThrow(/push: ids must be .* 0\.\.299/);
    expect(stream.push(0xa9 + 3)).toBe('é');
  });
});
