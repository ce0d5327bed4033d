import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { TokenizerError } from '@xlstm/device';
import { bytesOfVocabularyEntry } from './byte-alphabet.ts';
import { readChatTemplates } from './chat-template-section.ts';
import { isObject, type JsonObject, parseJsonObject } from './json-section.ts';
import { useExactPattern } from './pre-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';
import { type AddedToken, readTokenizerFile, type TokenizerFile } from './tokenizer-file.ts';
import { checkNamedId, checkOptionNames, describe, tokenizerFromParts } from './tokenizer-from-parts.ts';
import { wordEncoder } from './word-encoder.ts';

export interface LoadTokenizerOptions {
  /** `tokenizer.json`, as text or parsed. */
  readonly tokenizerJson: object | string;
  /** `tokenizer_config.json`, as text or parsed. */
  readonly tokenizerConfig?: object | string | undefined;
  /** From the model's config; goes before the tokenizer config's `bos_token`. */
  readonly bosTokenId?: number | undefined;
  /** From the model's or generation config; goes before `eos_token`. */
  readonly eosTokenId?: number | readonly number[] | undefined;
  /** From the model's config; goes before `pad_token`. */
  readonly padTokenId?: number | undefined;
  /**
   * The model's vocabulary size where it is padded beyond the tokenizer's (50,304 over some 50,277 in the 7B model):
   * ids in between are valid and decode to nothing.
   */
  readonly vocabSize?: number | undefined;
}

const OPTIONS = ['tokenizerJson', 'tokenizerConfig', 'bosTokenId', 'eosTokenId', 'padTokenId', 'vocabSize'] as const;
/** Tokens that `tokenizer_config.json` has a name for. */
const NAMED_TOKENS = ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const;
const NOTHING = new Uint8Array(0);

/**
 * A tokenizer from `tokenizer.json`: byte-level BPE, as GPT-NeoX, GPT-2 and xLSTM models have it.
 *
 * BOS: xLSTM prompts start with it. When the model names its BOS (`bosTokenId`), `encode` adds it by default; when only
 * `tokenizerConfig` knows one, then unless that says `add_bos_token: false`. It is never doubled. Special tokens
 * (`special` in the file, and those that `tokenizerConfig` names) are recognised in text.
 *
 * Decoding is exact; `clean_up_tokenization_spaces` is deliberately not applied, as it damages text and cannot be
 * streamed.
 *
 * @throws TokenizerError when the file is malformed or contradicts itself, is not byte-level BPE, uses what cannot be
 * encoded exactly, or when an id or named token is not in it. OptionError for an unknown option.
 * @example
 * const tokenizer = loadTokenizer({ tokenizerJson: await readFile('tokenizer.json', 'utf8'), bosTokenId: 0 });
 * tokenizer.decode(tokenizer.encode('Once upon a time'), { skipSpecialTokens: true }); // 'Once upon a time'
 */
export function loadTokenizer(options: LoadTokenizerOptions): Tokenizer {
  checkOptionNames('loadTokenizer', options, OPTIONS);
  const config = parseJsonObject('tokenizer_config.json', options.tokenizerConfig ?? {});
  const file = readTokenizerFile(options.tokenizerJson);
  const vocabSize = options.vocabSize ?? file.size;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < file.size) {
    throw new TokenizerError(
      `loadTokenizer: vocabSize must be an integer of at least ${file.size}, the ids that tokenizer.json has, got ${describe(vocabSize)}; tokenizer and model do not belong together`,
    );
  }

  const idOf = new Map([...file.entries].map(([id, token]) => [token, id]));
  const named = (key: string): number | undefined => idOfNamedToken(key, config[key], idOf);
  const bosId = options.bosTokenId ?? named('bos_token');
  const padId = options.padTokenId ?? named('pad_token');
  const eosIds = idList(options.eosTokenId ?? named('eos_token'));
  checkNamedId('loadTokenizer', 'bosTokenId', bosId, vocabSize);
  checkNamedId('loadTokenizer', 'padTokenId', padId, vocabSize);
  for (const id of eosIds) checkNamedId('loadTokenizer', 'eosTokenId', id, vocabSize);

  const chatTemplates = readChatTemplates(config);
  const addedTokens = withNamedSpecialTokens(file, config, idOf);
  const json = withPrefixSpace({ ...file.json, added_tokens: addedTokens }, config);
  const library = createLibraryTokenizer(json);
  const added = new Set(addedTokens.map((token) => token.id));
  const bytes = new Map<number, Uint8Array>();
  const utf8 = new TextEncoder();

  return tokenizerFromParts({
    kind: 'tokenizer.json',
    vocabSize,
    bosId,
    eosIds,
    padId,
    specialTokens: new Map(addedTokens.filter((token) => token.special).map((token) => [token.id, token.content])),
    chatTemplates,
    namedTokens: namedTokens(config, { bos_token: bosId, eos_token: eosIds[0], pad_token: padId }, addedTokens),
    addsBos: typeof options.bosTokenId === 'number' || (bosId !== undefined && config.add_bos_token !== false),
    encodeText:
      wordEncoder(json, addedTokens, library) ?? ((text) => library.encode(text, { add_special_tokens: false }).ids),
    bytesOf: (id) => {
      let known = bytes.get(id);
      if (known === undefined) {
        const entry = file.entries.get(id);
        // Added tokens are text as it stands; only what BPE makes is written in the byte alphabet.
        known = entry === undefined ? NOTHING : added.has(id) ? utf8.encode(entry) : bytesOfVocabularyEntry(entry);
        bytes.set(id, known);
      }
      return known;
    },
  });
}

function createLibraryTokenizer(json: JsonObject): LibraryTokenizer {
  try {
    const library = new LibraryTokenizer(json, {});
    useExactPattern(library.pre_tokenizer);
    return library;
  } catch (cause) {
    throw new TokenizerError(`loadTokenizer: tokenizer.json cannot be used: ${(cause as Error).message}`, { cause });
  }
}

function idList(ids: number | readonly number[] | undefined): readonly number[] {
  if (ids === undefined) return [];
  return Array.isArray(ids) ? [...ids] : [ids as number];
}

/** Id of a token that the config names by its text, or by an object with `content`. */
function idOfNamedToken(key: string, token: unknown, idOf: ReadonlyMap<string, number>): number | undefined {
  if (token === undefined || token === null) return undefined;
  const content = isObject(token) ? token.content : token;
  const id = typeof content === 'string' ? idOf.get(content) : undefined;
  if (id === undefined) {
    throw new TokenizerError(
      `loadTokenizer: tokenizer_config.json ${key} must be a token of tokenizer.json, got ${describe(content)}; the files do not belong together`,
    );
  }
  return id;
}

/**
 * Texts of the tokens that have a name. The tokenizer config goes first: a chat template is written for its tokens,
 * while the model's may name another end.
 */
function namedTokens(
  config: JsonObject,
  ids: { readonly [name: string]: number | undefined },
  addedTokens: readonly AddedToken[],
): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const name of NAMED_TOKENS) {
    const token = config[name];
    const content = isObject(token) ? token.content : token;
    const text = typeof content === 'string' ? content : addedTokens.find(({ id }) => id === ids[name])?.content;
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}

/** Tokens that the config names as special are special even where `tokenizer.json` does not list them as such. */
function withNamedSpecialTokens(
  file: TokenizerFile,
  config: JsonObject,
  idOf: ReadonlyMap<string, number>,
): AddedToken[] {
  const additional = config.additional_special_tokens ?? [];
  if (!Array.isArray(additional)) {
    throw new TokenizerError(
      `loadTokenizer: tokenizer_config.json additional_special_tokens must be an array, got ${describe(additional)}`,
    );
  }
  const ids = new Set<number>();
  for (const key of NAMED_TOKENS) {
    const id = idOfNamedToken(key, config[key], idOf);
    if (id !== undefined) ids.add(id);
  }
  for (const token of additional) ids.add(idOfNamedToken('additional_special_tokens', token, idOf)!);

  const result = file.addedTokens.map((token) => (ids.delete(token.id) ? { ...token, special: true } : token));
  for (const id of ids) {
    const content = file.entries.get(id)!;
    result.push({ id, content, special: true, normalized: false, lstrip: false, rstrip: false });
  }
  return result;
}

/** As in transformers, the config's `add_prefix_space` goes before the file's. */
function withPrefixSpace(json: JsonObject, config: JsonObject): JsonObject {
  const addPrefixSpace = config.add_prefix_space;
  const preTokenizer = json.pre_tokenizer as JsonObject;
  if (typeof addPrefixSpace !== 'boolean' || preTokenizer.type !== 'ByteLevel') return json;
  return { ...json, pre_tokenizer: { ...preTokenizer, add_prefix_space: addPrefixSpace } };
}
