import { readFileSync } from 'node:fs';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isObject, type JsonObject } from './json-section.ts';
import { useExactPattern } from './pre-tokenizer.ts';
import { type AddedToken, readTokenizerFile } from './tokenizer-file.ts';
import { wordEncoder } from './word-encoder.ts';

const file = readFileSync(new URL('../golden/tokenizer/tokenizer.json', import.meta.url), 'utf8');

const SPECIAL = { special: true, normalized: false, lstrip: false, rstrip: false };
/** Tokens that begin alike, hold others, are white space, or differ by normalisation. */
const ADDED: readonly AddedToken[] = [
  { ...SPECIAL, id: 0, content: '<|endoftext|>' },
  { ...SPECIAL, id: 5000, content: '<|end' },
  { ...SPECIAL, id: 5001, content: 'of' },
  { ...SPECIAL, id: 5002, content: '   ', special: false, normalized: true },
  { ...SPECIAL, id: 5003, content: '  ', special: false, normalized: true },
  { ...SPECIAL, id: 5004, content: 'caf\u00e9', special: false, normalized: true },
  { ...SPECIAL, id: 5005, content: 'man\u0303ana', special: false, normalized: true },
];

interface Encoders {
  readonly ours: ((text: string) => number[]) | undefined;
  readonly library: (text: string) => number[];
}

function encoders(changes: JsonObject, added: readonly AddedToken[]): Encoders {
  const json = { ...readTokenizerFile(file).json, ...changes, added_tokens: added };
  const library = new LibraryTokenizer(json, {});
  useExactPattern(library.pre_tokenizer);
  return {
    ours: wordEncoder(json, added, library),
    library: (text) => library.encode(text, { add_special_tokens: false }).ids,
  };
}

const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '<|endoftext|>',
        '<|end',
        'of',
        ' ',
        '  ',
        '    ',
        '\n',
        'cafe\u0301',
        'ñ',
        'once upon',
        '\ud83d',
      ),
    ),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(''));

/** A word of letters alone, another for each number. */
function nameOf(number: number): string {
  return number.toString(16).replace(/\d/g, (digit) => 'ghijklmnop'[Number(digit)]!);
}

describe('wordEncoder', () => {
  it.each<[string, JsonObject, readonly AddedToken[]]>([
    ['as the file has it', {}, ADDED.slice(0, 1)],
    ['with many added tokens', {}, ADDED],
    ['without a normaliser', { normalizer: null }, ADDED],
    ['without added tokens', {}, []],
  ])('gives the ids that the library gives, %s', (_, changes, added) => {
    const { ours, library } = encoders(changes, added);
    fc.assert(
      fc.property(anyText, (text) => {
        expect(ours!(text)).toEqual(library(text));
      }),
      { numRuns: 500, seed: 3 },
    );
  });

  it('goes on being right when it has to forget', () => {
    const { ours, library } = encoders({}, ADDED);
    const words = Array.from({ length: 70_000 }, (_, i) => nameOf(i));
    ours!(words.join(' '));
    const text = words.slice(0, 1000).join(' ');
    expect(ours!(text)).toEqual(library(text));
  });

  it('leaves to the library what it does not do', () => {
    const { pre_tokenizer: preTokenizer } = readTokenizerFile(file).json;
    if (!isObject(preTokenizer)) throw new Error('the file has a pre-tokenizer');
    expect(encoders({ normalizer: { type: 'NFD' } }, []).ours).toBeUndefined();
    expect(encoders({ pre_tokenizer: { ...preTokenizer, add_prefix_space: true } }, []).ours).toBeUndefined();
    expect(encoders({ pre_tokenizer: { ...preTokenizer, use_regex: false } }, []).ours).toBeUndefined();
    expect(encoders({ pre_tokenizer: { type: 'Sequence', pretokenizers: [preTokenizer] } }, []).ours).toBeUndefined();
    expect(encoders({}, [{ ...ADDED[0]!, lstrip: true }]).ours).toBeUndefined();
    expect(encoders({}, [{ ...ADDED[0]!, rstrip: true }]).ours).toBeUndefined();
  });
});
