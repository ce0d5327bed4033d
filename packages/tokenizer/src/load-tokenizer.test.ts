import { readFileSync } from 'node:fs';
import { OptionError, TokenizerError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { type LoadTokenizerOptions, loadTokenizer } from './index.ts';

const text = readFileSync(new URL('../golden/tokenizer/tokenizer.json', import.meta.url), 'utf8');

interface Editable {
  model: Record<string, unknown> & { vocab: Record<string, unknown>; merges: unknown[] };
  added_tokens: Record<string, unknown>[];
  [section: string]: unknown;
}

function edited(change: (json: Editable) => void): object {
  const json = JSON.parse(text) as Editable;
  change(json);
  return json;
}

const load = (options: Partial<LoadTokenizerOptions> = {}) => loadTokenizer({ tokenizerJson: text, ...options });
const eot = '<|endoftext|>';

describe('BOS', () => {
  it('is added by default when the model names it, even if the tokenizer config says no', () => {
    const tokenizer = load({ bosTokenId: 0, tokenizerConfig: { bos_token: eot, add_bos_token: false } });
    expect(tokenizer.addsBos).toBe(true);
    expect(tokenizer.encode('once')).toEqual([0, 265, 317]);
    expect(tokenizer.encode('once', { addBos: false })).toEqual([265, 317]);
  });

  it('follows add_bos_token when only the tokenizer config knows it', () => {
    expect(load({ tokenizerConfig: { bos_token: eot } }).encode('once')).toEqual([0, 265, 317]);
    const tokenizer = load({ tokenizerConfig: { bos_token: { content: eot }, add_bos_token: false } });
    expect(tokenizer.encode('once')).toEqual([265, 317]);
    expect(tokenizer.encode('once', { addBos: true })).toEqual([0, 265, 317]);
  });

  it('is an empty prompt alone, and never doubled', () => {
    expect(load({ bosTokenId: 0 }).encode('')).toEqual([0]);
    expect(load({ bosTokenId: 0 }).encode(`${eot}once`)).toEqual([0, 265, 317]);
    expect(load({ bosTokenId: 0 }).encode(eot, { addBos: true })).toEqual([0]);
  });

  it('is an error when asked for and unknown', () => {
    expect(load().encode('')).toEqual([]);
    expect(() => load().encode('once', { addBos: true })).toThrow(/has none; load it with bosTokenId/);
  });
});

describe('special tokens and ids', () => {
  it('come from both files', () => {
    const tokenizer = load({
      tokenizerConfig: JSON.stringify({ eos_token: eot, pad_token: '<|padding|>', additional_special_tokens: ['ing'] }),
      eosTokenId: [0, 5],
      vocabSize: 1600,
    });
    expect(tokenizer).toMatchObject({ bosId: undefined, eosIds: [0, 5], padId: 1, vocabSize: 1600, addsBos: false });
    const ing = tokenizer.encode('ing');
    expect(ing.length).toBe(1);
    expect([...tokenizer.specialTokens]).toEqual([
      [0, eot],
      [1, '<|padding|>'],
      [ing[0], 'ing'],
    ]);
    expect(tokenizer.decode(tokenizer.encode(`sing${eot}`), { skipSpecialTokens: true })).toBe('s');
  });

  it('ids between the tokenizer and the model vocabulary decode to nothing', () => {
    const tokenizer = load({ vocabSize: 1600 });
    expect(tokenizer.decode([265, 1599, 317])).toBe('once');
    expect(() => tokenizer.decode([1600])).toThrow(TokenizerError);
  });

  it('refuses ids out of range, whatever kind of array they come in', () => {
    for (const ids of [[-1], [1523], [0.5], [Number.NaN], Int32Array.of(-5), Uint32Array.of(4294967295)]) {
      expect(() => load().decode(ids)).toThrow(/decode: ids must be integers in 0\.\.1522/);
    }
    expect(() => load().decode('12' as unknown as number[])).toThrow(TokenizerError);
    expect(load().decode(Int32Array.of(265, 317))).toBe('once');
    expect(load().decode([])).toBe('');
  });

  it('refuses text that is not a string and options that do not exist', () => {
    for (const value of [undefined, null, 5, ['a']]) {
      expect(() => load().encode(value as unknown as string)).toThrow(/encode: text must be a string/);
    }
    expect(() => load().decode([0], { skip_special_tokens: true } as object)).toThrow(OptionError);
    expect(() => load().encode('a', { addBos: 1 } as unknown as object)).toThrow(OptionError);
    expect(() => load({ tokenizer: 1 } as object)).toThrow(OptionError);
  });
});

describe('text as the original splits it', () => {
  // JavaScript's \s and Unicode's white space differ in these two; with the library's own pattern both would be wrong.
  it('takes U+FEFF as a symbol and U+0085 as white space', () => {
    const joined = edited((json) => {
      for (const token of ['!ï', '!ï»', '!ï»¿']) json.model.vocab[token] = 2000 + token.length;
      json.model.merges.push(['!', 'ï'], ['!ï', '»'], ['!ï»', '¿']);
    });
    expect(loadTokenizer({ tokenizerJson: joined }).encode('!\ufeff')).toEqual([2004]);
    const split = edited((json) => {
      json.model.vocab['!Â'] = 2000;
      json.model.merges.push(['!', 'Â']);
    });
    expect(loadTokenizer({ tokenizerJson: split }).encode('!\u0085')).not.toContain(2000);
  });

  it('takes every numeric character as a digit, not only those of ASCII', () => {
    const file = (individual: boolean) =>
      edited((json) => {
        const digits = { type: 'Digits', individual_digits: individual };
        json.pre_tokenizer = {
          type: 'Sequence',
          pretokenizers: [digits, { type: 'ByteLevel', add_prefix_space: false }],
        };
        json.model.vocab.łÙ = 2000;
        json.model.merges.push(['ł', 'Ù']);
      });
    const zeros = '\u0660\u0660'; // bytes d9 a0 d9 a0, in the byte alphabet ÙłÙł
    expect(loadTokenizer({ tokenizerJson: file(false) }).encode(zeros)).toContain(2000);
    expect(loadTokenizer({ tokenizerJson: file(true) }).encode(zeros)).not.toContain(2000);
  });

  it('writes half a surrogate pair as U+FFFD', () => {
    expect(load().decode(load().encode('a\ud83d'))).toBe('a\ufffd');
  });

  it('takes add_prefix_space from the config first', () => {
    const tokenizer = load({ tokenizerConfig: { add_prefix_space: true } });
    expect(tokenizer.encode('once')).toEqual(load().encode(' once'));
  });

  it('encodes a long text without spaces, and a long run of spaces, in reasonable time', () => {
    for (const long of ['ab'.repeat(50_000), ' '.repeat(100_000)]) {
      const tokenizer = load();
      expect(tokenizer.decode(tokenizer.encode(long))).toBe(long);
    }
  });
});

describe('malformed files', () => {
  it.each<[string, unknown, RegExp]>([
    ['text that is not JSON', '{"model":', /tokenizer\.json is not JSON/],
    ['another JSON value', '[1]', /tokenizer\.json must be a JSON object, got an array/],
    ['nothing', undefined, /tokenizer\.json must be a JSON object/],
    ['no model', edited((j) => Reflect.deleteProperty(j, 'model')), /model must be an object/],
    ['another model', edited((j) => (j.model.type = 'Unigram')), /model\.type must be "BPE".*got "Unigram"/],
    ['no vocabulary', edited((j) => Reflect.deleteProperty(j.model, 'vocab')), /model\.vocab must be/],
    ['an empty vocabulary', edited((j) => (j.model.vocab = {})), /model\.vocab must be not empty/],
    ['a negative id', edited((j) => (j.model.vocab.a = -1)), /model\.vocab\["a"\] must be an integer/],
    ['a huge id', edited((j) => (j.model.vocab.a = 2 ** 31)), /model\.vocab\["a"\] must be an integer/],
    ['an id twice', edited((j) => (j.model.vocab.zzz = 265)), /gives id 265 to both/],
    ['no merges', edited((j) => Reflect.deleteProperty(j.model, 'merges')), /model\.merges must be an array/],
    ['a merge of three', edited((j) => (j.model.merges[3] = ['a', 'b', 'c'])), /merges\[3\] must be a pair/],
    [
      'a merge into nothing',
      edited((j) => j.model.merges.push(['q', 'q'])),
      /tokens that the vocabulary has, got "qq"/,
    ],
    ['random merging', edited((j) => (j.model.dropout = 0.1)), /model\.dropout/],
    ['an unknown unk_token', edited((j) => (j.model.unk_token = '<none>')), /model\.unk_token/],
    ['a word suffix', edited((j) => (j.model.end_of_word_suffix = '</w>')), /end_of_word_suffix/],
    ['another decoder', edited((j) => (j.decoder = { type: 'Metaspace' })), /decoder\.type must be "ByteLevel"/],
    ['no decoder', edited((j) => (j.decoder = null)), /decoder\.type must be "ByteLevel"/],
    ['another pre-tokenizer', edited((j) => (j.pre_tokenizer = { type: 'Whitespace' })), /pre_tokenizer\.type/],
    ['an unknown normalizer', edited((j) => (j.normalizer = { type: 'Rot13' })), /cannot be used: .*Rot13/],
    [
      'added tokens of another kind',
      edited((j) => ((j as { added_tokens: unknown }).added_tokens = {})),
      /added_tokens must/,
    ],
    ['an empty added token', edited((j) => (j.added_tokens[0]!.content = '')), /added_tokens\[0\]\.content/],
    ['whole words', edited((j) => (j.added_tokens[0]!.single_word = true)), /single_word/],
    ['an added token with another id', edited((j) => (j.added_tokens[0]!.id = 1600)), /contradicts itself/],
  ])('%s', (_, tokenizerJson, message) => {
    const attempt = () => loadTokenizer({ tokenizerJson: tokenizerJson as object });
    expect(attempt).toThrow(TokenizerError);
    expect(attempt).toThrow(message);
  });

  it.each<[string, Partial<LoadTokenizerOptions>, RegExp]>([
    ['config text that is not JSON', { tokenizerConfig: 'no' }, /tokenizer_config\.json is not JSON/],
    ['a token that is not there', { tokenizerConfig: { bos_token: '<s>' } }, /bos_token must be a token .* got "<s>"/],
    ['BOS out of range', { bosTokenId: 5000 }, /bosTokenId must be an integer in 0\.\.1522, got 5000/],
    ['EOS out of range', { eosTokenId: [0, -1] }, /eosTokenId must be/],
    ['a model vocabulary that is too small', { vocabSize: 100 }, /at least 1523.*do not belong together/],
  ])('%s', (_, options, message) => {
    expect(() => load(options)).toThrow(TokenizerError);
    expect(() => load(options)).toThrow(message);
  });
});
