import { TokenizerError } from '@xlstm/device';
import { describe } from './tokenizer-from-parts.ts';

export type JsonObject = { readonly [key: string]: unknown };

/** `tokenizer.json` or `tokenizer_config.json` as text or as a parsed object. */
export function parseJsonObject(name: string, source: unknown): JsonObject {
  let value = source;
  if (typeof source === 'string') {
    try {
      value = JSON.parse(source);
    } catch (cause) {
      throw new TokenizerError(`loadTokenizer: ${name} is not JSON: ${(cause as Error).message}`, { cause });
    }
  }
  if (!isObject(value)) {
    throw new TokenizerError(`loadTokenizer: ${name} must be a JSON object, got ${describe(value)}`);
  }
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Throws the error that every check here ends in. */
export function fail(section: string, expected: string, got: unknown): never {
  throw new TokenizerError(`loadTokenizer: tokenizer.json ${section} must be ${expected}, got ${describe(got)}`);
}
