import type { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { AddedTokenSplitter } from './added-token-splitter.ts';
import { CHARACTER_OF_BYTE } from './byte-alphabet.ts';
import { isObject, type JsonObject } from './json-section.ts';
import { GPT2_PATTERN } from './pre-tokenizer.ts';
import type { AddedToken } from './tokenizer-file.ts';

/** Words remembered before all are forgotten: a few tens of megabytes at most. */
const REMEMBERED = 1 << 16;
/** Longer words seldom come again. */
const LONGEST_REMEMBERED = 64;

/**
 * The ids of texts as the library gives them, many times faster: words come again and again, and each is merged once.
 *
 * For tokenizers of the GPT-2 and GPT-NeoX kind: NFC or no normaliser, GPT-2's pattern over the whole text without a
 * prefix space, added tokens that leave the white space beside them alone.
 *
 * @returns `undefined` for all others, which are the library's
 */
export function wordEncoder(
  json: JsonObject,
  addedTokens: readonly AddedToken[],
  library: LibraryTokenizer,
): ((text: string) => number[]) | undefined {
  const { normalizer, pre_tokenizer: preTokenizer } = json;
  const composes = isObject(normalizer) && normalizer.type === 'NFC';
  if (normalizer !== null && !composes) return undefined;
  if (!isObject(preTokenizer) || preTokenizer.type !== 'ByteLevel') return undefined;
  if (preTokenizer.add_prefix_space || preTokenizer.use_regex === false) return undefined;
  if (addedTokens.some((token) => token.lstrip || token.rstrip)) return undefined;

  const isNormalized = (token: AddedToken): boolean => composes && token.normalized;
  const asWritten = new AddedTokenSplitter(addedTokens.filter((token) => !isNormalized(token)));
  const composed = new AddedTokenSplitter(
    addedTokens.filter(isNormalized).map((token) => ({ ...token, content: token.content.normalize('NFC') })),
  );
  const idsOfWord = rememberWords(library);
  return (text) => {
    const ids: number[] = [];
    for (const section of asWritten.split(text)) {
      if (typeof section === 'number') ids.push(section);
      else {
        for (const part of composed.split(composes ? section.normalize('NFC') : section)) {
          if (typeof part === 'number') ids.push(part);
          else for (const word of part.match(GPT2_PATTERN) ?? []) for (const id of idsOfWord(word)) ids.push(id);
        }
      }
    }
    return ids;
  };
}

function rememberWords(library: LibraryTokenizer): (word: string) => readonly number[] {
  const model = library.model!;
  const remembered = new Map<string, readonly number[]>();
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (word) => {
    const known = remembered.get(word);
    if (known !== undefined) return known;
    const bytes = encoder.encode(word);
    const letters = Array.from(bytes, (byte) => CHARACTER_OF_BYTE[byte]!).join('');
    const ids = model.encode([letters]).map((token) => model.tokens_to_ids.get(token)!);
    if (word.length <= LONGEST_REMEMBERED) {
      if (remembered.size === REMEMBERED) remembered.clear();
      // What a pattern matches may be a view of the whole text and would keep it alive; this is a copy.
      remembered.set(decoder.decode(bytes), ids);
    }
    return ids;
  };
}
