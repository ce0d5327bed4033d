import { TokenizerError } from '@xlstm/device';
import type { Tokenizer } from './tokenizer.ts';
import { checkNamedId, checkOptionNames, describe, tokenizerFromParts } from './tokenizer-from-parts.ts';

export interface ByteTokenizerOptions {
  /** The model's vocabulary size; ids without a byte decode to nothing. */
  readonly vocabSize: number;
  readonly bosTokenId?: number | undefined;
  readonly eosTokenId?: number | readonly number[] | undefined;
  readonly padTokenId?: number | undefined;
}

const BYTES = 256;
const NOTHING = new Uint8Array(0);

/**
 * A tokenizer without a file: an id is a byte of the UTF-8 text.
 *
 * Byte `b` has id `b + offset`, where `offset` is the smallest that keeps all 256 byte ids clear of the special ids: 0
 * when BOS, EOS and PAD are absent or at 256 and above, 3 for BOS 0, PAD 1, EOS 2. Special ids and ids beyond the bytes
 * decode to nothing, and no text encodes to them. BOS is added by default when `bosTokenId` is given.
 *
 * It fits models trained on bytes. A model trained with a `tokenizer.json` gives nonsense with it; tell users which one
 * is in use by `tokenizer.kind`.
 *
 * @throws TokenizerError when the vocabulary is too small for 256 bytes beside the special ids, or an id is out of range.
 * @example
 * byteTokenizer({ vocabSize: 260, bosTokenId: 0 }).encode('Hi'); // [0, 73, 106]
 */
export function byteTokenizer(options: ByteTokenizerOptions): Tokenizer {
  checkOptionNames('byteTokenizer', options, ['vocabSize', 'bosTokenId', 'eosTokenId', 'padTokenId']);
  const { vocabSize, bosTokenId, eosTokenId, padTokenId } = options;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < BYTES) {
    throw new TokenizerError(
      `byteTokenizer: vocabSize must be an integer of ${BYTES} or more, got ${describe(vocabSize)}`,
    );
  }
  const eosIds = eosTokenId === undefined ? [] : typeof eosTokenId === 'number' ? [eosTokenId] : [...eosTokenId];
  checkNamedId('byteTokenizer', 'bosTokenId', bosTokenId, vocabSize);
  checkNamedId('byteTokenizer', 'padTokenId', padTokenId, vocabSize);
  for (const id of eosIds) checkNamedId('byteTokenizer', 'eosTokenId', id, vocabSize);

  const special = new Set(eosIds);
  if (bosTokenId !== undefined) special.add(bosTokenId);
  if (padTokenId !== undefined) special.add(padTokenId);
  const offset = offsetClearOf(special);
  if (offset + BYTES > vocabSize) {
    throw new TokenizerError(
      `byteTokenizer: ${BYTES} byte ids clear of the special ids ${[...special].join(', ')} need vocabSize >= ${offset + BYTES}, got ${vocabSize}`,
    );
  }

  const bytes = Array.from({ length: BYTES }, (_, byte) => Uint8Array.of(byte));
  const encoder = new TextEncoder();
  return tokenizerFromParts({
    kind: 'bytes',
    vocabSize,
    bosId: bosTokenId,
    eosIds,
    padId: padTokenId,
    specialTokens: new Map([...special].map((id) => [id, ''])),
    chatTemplates: new Map(),
    namedTokens: {},
    addsBos: bosTokenId !== undefined,
    encodeText: (text) => Array.from(encoder.encode(text), (byte) => byte + offset),
    bytesOf: (id) => bytes[id - offset] ?? NOTHING,
  });
}

function offsetClearOf(special: ReadonlySet<number>): number {
  let offset = 0;
  for (const id of [...special].sort((a, b) => a - b)) {
    if (id >= offset && id < offset + BYTES) offset = id + 1;
  }
  return offset;
}
