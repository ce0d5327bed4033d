export { type ByteTokenizerOptions, byteTokenizer } from './byte-tokenizer.ts';
export { type LoadTokenizerOptions, loadTokenizer } from './load-tokenizer.ts';
export type { DecodeOptions, EncodeOptions, StreamDecoder, Tokenizer } from './tokenizer.ts';
