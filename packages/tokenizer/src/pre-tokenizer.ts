import { ByteLevelPreTokenizer, type PreTokenizer, SequencePreTokenizer } from '@huggingface/tokenizers';
import { fail, isObject, type JsonObject } from './json-section.ts';

/** GPT-2's pattern with Unicode's white space: JavaScript's `\s` has U+FEFF and lacks U+0085, unlike the original. */
export const GPT2_PATTERN: RegExp =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/**
 * The `pre_tokenizer` section in a form that the library splits exactly as the original does.
 *
 * @throws TokenizerError for a pre-tokenizer that the library would split otherwise, and when none is byte-level.
 */
export function readPreTokenizer(section: unknown): JsonObject {
  const result = exactPreTokenizer('pre_tokenizer', section);
  if (!hasByteLevel(result))
    fail('pre_tokenizer', 'ByteLevel, or a Sequence that has it', isObject(section) ? section.type : section);
  return result;
}

/** Gives every byte-level pre-tokenizer inside the library's object the exact pattern. */
export function useExactPattern(preTokenizer: PreTokenizer | null): void {
  if (preTokenizer instanceof ByteLevelPreTokenizer) preTokenizer.pattern = GPT2_PATTERN;
  if (preTokenizer instanceof SequencePreTokenizer) preTokenizer.tokenizers.forEach(useExactPattern);
}

function exactPreTokenizer(path: string, section: unknown): JsonObject {
  if (!isObject(section)) fail(path, 'an object', section);
  switch (section.type) {
    case 'ByteLevel':
      return section;
    case 'Sequence': {
      const parts = section.pretokenizers;
      if (!Array.isArray(parts)) fail(`${path}.pretokenizers`, 'an array', parts);
      return {
        ...section,
        pretokenizers: parts.map((part, i) => exactPreTokenizer(`${path}.pretokenizers[${i}]`, part)),
      };
    }
    case 'Digits':
      // The library knows ASCII digits only; the original takes every numeric character.
      return isolate(section.individual_digits === true ? '\\p{N}' : '\\p{N}+');
    case 'Split': {
      const pattern = section.pattern;
      if (!isObject(pattern) || (typeof pattern.Regex !== 'string' && typeof pattern.String !== 'string')) {
        fail(`${path}.pattern`, 'a Regex or a String', pattern);
      }
      if (section.behavior !== 'Isolated') {
        fail(`${path}.behavior`, '"Isolated", the only one that the library splits exactly', section.behavior);
      }
      // Matches and what lies between are pieces alike, so that inverting changes nothing here; in the library it does.
      return { ...section, invert: false };
    }
    default:
      return fail(`${path}.type`, 'ByteLevel, Split, Digits or Sequence', section.type);
  }
}

function isolate(regex: string): JsonObject {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

function hasByteLevel(section: JsonObject): boolean {
  if (section.type === 'ByteLevel') return true;
  const parts = section.pretokenizers;
  return Array.isArray(parts) && parts.some((part) => isObject(part) && hasByteLevel(part));
}
