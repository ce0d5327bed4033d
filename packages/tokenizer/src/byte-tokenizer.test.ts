import { TokenizerError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { byteTokenizer } from './index.ts';

describe('byteTokenizer', () => {
  it('gives bytes as ids, and says that it does', () => {
    const tokenizer = byteTokenizer({ vocabSize: 256 });
    expect(tokenizer.kind).toBe('bytes');
    expect(tokenizer.encode('Hé')).toEqual([72, 195, 169]);
    expect(tokenizer.decode([72, 195, 169])).toBe('Hé');
    expect(tokenizer.encode('')).toEqual([]);
  });

  it.each([
    [{ bosTokenId: 256, eosTokenId: 257 }, 0],
    [{ bosTokenId: 0 }, 1],
    [{ bosTokenId: 0, padTokenId: 1, eosTokenId: 2 }, 3],
    [{ eosTokenId: [300, 7] }, 8],
    [{ bosTokenId: 0, eosTokenId: 256 }, 257],
  ])('with %j byte 0 has id %i', (ids, offset) => {
    const tokenizer = byteTokenizer({ vocabSize: 600, ...ids });
    expect(tokenizer.encode('\0\u007f', { addBos: false })).toEqual([offset, offset + 127]);
    expect(tokenizer.decode([...tokenizer.specialTokens.keys(), offset + 65, 599])).toBe('A');
  });

  it('starts with BOS when there is one; an empty text is BOS alone', () => {
    const tokenizer = byteTokenizer({ vocabSize: 260, bosTokenId: 0 });
    expect(tokenizer.encode('Hi')).toEqual([0, 73, 106]);
    expect(tokenizer.encode('')).toEqual([0]);
  });

  it('refuses a vocabulary too small for the bytes, and ids out of range', () => {
    expect(() => byteTokenizer({ vocabSize: 255 })).toThrow(TokenizerError);
    expect(() => byteTokenizer({ vocabSize: 256, bosTokenId: 0 })).toThrow(/need vocabSize >= 257, got 256/);
    expect(() => byteTokenizer({ vocabSize: 300, bosTokenId: 300 })).toThrow(/bosTokenId must be .* got 300/);
    expect(() => byteTokenizer({ vocabSize: 300 }).decode([300])).toThrow(TokenizerError);
  });
});
