import { OptionError, TokenizerError } from '@xlstm/device';
import type { DecodeOptions, EncodeOptions, StreamDecoder, Tokenizer } from './tokenizer.ts';

/** What differs between kinds of tokenizers; BOS, checks and UTF-8 are alike for all. */
export interface TokenizerParts {
  readonly kind: Tokenizer['kind'];
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosIds: readonly number[];
  readonly padId: number | undefined;
  readonly specialTokens: ReadonlyMap<number, string>;
  readonly chatTemplates: ReadonlyMap<string, string>;
  readonly namedTokens: Readonly<Record<string, string>>;
  readonly addsBos: boolean;
  /** Ids of a text, without BOS. */
  readonly encodeText: (text: string) => number[];
  /** Bytes of a valid id; empty for an id that stands for no text. */
  readonly bytesOf: (id: number) => Uint8Array;
}

/** The tokenizer made of `parts`. */
export function tokenizerFromParts(parts: TokenizerParts): Tokenizer {
  const { encodeText, bytesOf, ...facts } = parts;
  const { vocabSize, bosId, specialTokens, addsBos } = parts;

  const checkId = (operation: string, id: unknown): void => {
    if (!isIdBelow(id, vocabSize)) {
      throw new TokenizerError(
        `${operation}: ids must be integers in 0..${vocabSize - 1}, got ${String(id)}; is this the tokenizer of the model?`,
      );
    }
  };

  const encode = (text: string, options: EncodeOptions = {}): number[] => {
    if (typeof text !== 'string') {
      throw new TokenizerError(`encode: text must be a string, got ${describe(text)}`);
    }
    const addBos = booleanOption('encode', options, 'addBos') ?? addsBos;
    if (addBos && bosId === undefined) {
      throw new TokenizerError('encode: addBos needs a BOS id and this tokenizer has none; load it with bosTokenId');
    }
    const ids = encodeText(text);
    if (addBos && bosId !== undefined && ids[0] !== bosId) ids.unshift(bosId);
    return ids;
  };

  const decode = (ids: ArrayLike<number>, options: DecodeOptions = {}): string => {
    const skip = booleanOption('decode', options, 'skipSpecialTokens') ?? false;
    if (ids === null || typeof ids !== 'object' || !Number.isInteger(ids.length)) {
      throw new TokenizerError(`decode: ids must be an array of integers, got ${describe(ids)}`);
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      checkId('decode', id);
      if (skip && specialTokens.has(id)) continue;
      const bytes = bytesOf(id);
      chunks.push(bytes);
      length += bytes.length;
    }
    const all = new Uint8Array(length);
    let offset = 0;
    for (const chunk of chunks) {
      all.set(chunk, offset);
      offset += chunk.length;
    }
    return utf8Decoder().decode(all);
  };

  const stream = (options: DecodeOptions = {}): StreamDecoder => {
    const skip = booleanOption('stream', options, 'skipSpecialTokens') ?? false;
    const decoder = utf8Decoder();
    return {
      push(id) {
        checkId('push', id);
        if (skip && specialTokens.has(id)) return '';
        return decoder.decode(bytesOf(id), { stream: true });
      },
      flush: () => decoder.decode(),
    };
  };

  return { ...facts, encode, decode, stream };
}

/**
 * Checks ids that a caller or a config named, such as `bosTokenId`.
 *
 * @throws TokenizerError when one is not an integer in `0 … vocabSize-1`.
 */
export function checkNamedId(operation: string, name: string, id: number | undefined, vocabSize: number): void {
  if (id !== undefined && !isIdBelow(id, vocabSize)) {
    throw new TokenizerError(`${operation}: ${name} must be an integer in 0..${vocabSize - 1}, got ${describe(id)}`);
  }
}

/** Refuses options that do not exist, so that a misspelt one is not lost. */
export function checkOptionNames(operation: string, options: object, known: readonly string[]): void {
  if (options === null || typeof options !== 'object') {
    throw new OptionError(`${operation}: options must be an object, got ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new OptionError(`${operation}: unknown option ${name}; known are ${known.join(', ')}`);
    }
  }
}

/** A value as an error message shows it. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

function isIdBelow(id: unknown, vocabSize: number): id is number {
  return Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
}

function booleanOption<Name extends string>(
  operation: string,
  options: { readonly [key in Name]?: boolean | undefined },
  name: Name,
): boolean | undefined {
  checkOptionNames(operation, options, [name]);
  const value: unknown = options[name];
  if (value !== undefined && typeof value !== 'boolean') {
    throw new OptionError(`${operation}: ${name} must be true or false, got ${describe(value)}`);
  }
  return value;
}

/** UTF-8 as the standard has it: each maximal invalid part becomes one U+FFFD, a leading U+FEFF stays text. */
function utf8Decoder(): InstanceType<typeof TextDecoder> {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}
