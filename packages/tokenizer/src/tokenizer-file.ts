import { TokenizerError } from '@xlstm/device';
import { fail, isObject, type JsonObject, parseJsonObject } from './json-section.ts';
import { readPreTokenizer } from './pre-tokenizer.ts';
import { describe } from './tokenizer-from-parts.ts';

/** An entry of `added_tokens`: text that is cut out before BPE and has an id of its own. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/** A `tokenizer.json` that has been checked. */
export interface TokenizerFile {
  /** What the library is given: all sections present, everything in it supported. */
  readonly json: JsonObject;
  /** Every id that stands for text. */
  readonly entries: ReadonlyMap<number, string>;
  readonly addedTokens: readonly AddedToken[];
  /** Largest id + 1. */
  readonly size: number;
}

/** No vocabulary comes near; it keeps a damaged id from growing the library's tables without bound. */
const MAX_ID = 2 ** 24;

/**
 * Checks a `tokenizer.json`: byte-level BPE with a sound vocabulary, and nothing that would be encoded otherwise than
 * Hugging Face's tokenizers do.
 *
 * Sections `truncation` and `padding` and the post-processor's template are not applied, as with
 * `add_special_tokens=False` there: BOS has its own rule, and prompts are neither cut nor padded.
 *
 * @throws TokenizerError that names the section and what is wrong with it.
 */
export function readTokenizerFile(source: unknown): TokenizerFile {
  const json = parseJsonObject('tokenizer.json', source);
  const model = json.model;
  if (!isObject(model)) fail('model', 'an object with the vocabulary and merges', model);
  const type = model.type ?? (model.merges === undefined ? undefined : 'BPE');
  if (type !== 'BPE') fail('model.type', '"BPE" (byte-level), the only model supported', type);
  checkDecoder(json.decoder);

  const ids = readVocabulary(model);
  checkModelOptions(model, ids);
  checkMerges(model.merges, ids);
  const entries = new Map<number, string>();
  for (const [token, id] of ids) addEntry(entries, token, id);

  const addedTokens = readAddedTokens(json.added_tokens ?? []);
  for (const { content, id } of addedTokens) {
    const vocabularyId = ids.get(content);
    if (vocabularyId !== undefined && vocabularyId !== id) {
      throw new TokenizerError(
        `loadTokenizer: added token ${describe(content)} has id ${id}, but the vocabulary gives it ${vocabularyId}; the file contradicts itself`,
      );
    }
    addEntry(entries, content, id);
  }
  let size = 0;
  for (const id of entries.keys()) size = Math.max(size, id + 1);

  return {
    json: {
      ...json,
      model: { ...model, type },
      normalizer: json.normalizer ?? null,
      pre_tokenizer: readPreTokenizer(json.pre_tokenizer),
      post_processor: null,
      decoder: json.decoder,
      added_tokens: addedTokens,
    },
    entries,
    addedTokens,
    size,
  };
}

function checkDecoder(decoder: unknown): void {
  if (!isObject(decoder) || decoder.type !== 'ByteLevel') {
    const type = isObject(decoder) ? decoder.type : decoder;
    fail('decoder.type', '"ByteLevel", because only bytes can be streamed exactly', type);
  }
}

function readVocabulary(model: JsonObject): Map<string, number> {
  const vocab = model.vocab;
  if (!isObject(vocab)) fail('model.vocab', 'an object from token to id', vocab);
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) fail(`model.vocab[${JSON.stringify(token)}]`, `an integer in 0..${MAX_ID - 1}`, id);
    ids.set(token, id);
  }
  if (ids.size === 0) fail('model.vocab', 'not empty', vocab);
  return ids;
}

function checkModelOptions(model: JsonObject, ids: ReadonlyMap<string, number>): void {
  for (const name of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model[name]) fail(`model.${name}`, 'empty or null for byte-level BPE', model[name]);
  }
  if (model.dropout) fail('model.dropout', 'null or 0, because encoding is not random here', model.dropout);
  const unknown = model.unk_token ?? null;
  if (unknown !== null && (typeof unknown !== 'string' || !ids.has(unknown))) {
    fail('model.unk_token', 'null or an entry of the vocabulary', unknown);
  }
}

function checkMerges(merges: unknown, ids: ReadonlyMap<string, number>): void {
  if (!Array.isArray(merges)) fail('model.merges', 'an array of pairs', merges);
  const paired = Array.isArray(merges[0]);
  merges.forEach((merge: unknown, i) => {
    const pair: unknown = paired ? merge : typeof merge === 'string' ? merge.split(' ') : undefined;
    if (!Array.isArray(pair) || pair.length !== 2) {
      fail(
        `model.merges[${i}]`,
        paired ? 'a pair of tokens, as the first is' : 'two tokens with a space between',
        merge,
      );
    }
    const [left, right] = pair as [unknown, unknown];
    if (typeof left !== 'string' || typeof right !== 'string') fail(`model.merges[${i}]`, 'two strings', merge);
    // A merge into an unknown token would make the library drop that text without a word.
    for (const token of [left, right, left + right]) {
      if (!ids.has(token)) fail(`model.merges[${i}]`, 'of tokens that the vocabulary has', token);
    }
  });
}

function readAddedTokens(added: unknown): AddedToken[] {
  if (!Array.isArray(added)) fail('added_tokens', 'an array', added);
  return added.map((token: unknown, i): AddedToken => {
    if (!isObject(token)) fail(`added_tokens[${i}]`, 'an object', token);
    const { id, content } = token;
    if (!isId(id)) fail(`added_tokens[${i}].id`, `an integer in 0..${MAX_ID - 1}`, id);
    if (typeof content !== 'string' || content === '')
      fail(`added_tokens[${i}].content`, 'a string, not empty', content);
    if (token.single_word === true)
      fail(`added_tokens[${i}].single_word`, 'false; whole words only is not supported', true);
    const special = token.special === true;
    return {
      id,
      content,
      special,
      normalized: (token.normalized ?? !special) === true,
      lstrip: token.lstrip === true,
      rstrip: token.rstrip === true,
    };
  });
}

function addEntry(entries: Map<number, string>, token: string, id: number): void {
  const other = entries.get(id);
  if (other !== undefined && other !== token) {
    throw new TokenizerError(
      `loadTokenizer: tokenizer.json gives id ${id} to both ${describe(other)} and ${describe(token)}`,
    );
  }
  entries.set(id, token);
}

function isId(id: unknown): id is number {
  return Number.isInteger(id) && (id as number) >= 0 && (id as number) < MAX_ID;
}
