export type { ByteLevelBpeJson, SpecialTokenJson } from './bpe/byte-level-bpe-json.ts';
export {
  type BpeProgress,
  type TrainByteLevelBpeOptions,
  trainByteLevelBpe,
} from './bpe/train-byte-level-bpe.ts';
export { type ByteTokenizerOptions, byteTokenizer } from './byte-tokenizer.ts';
export {
  applyChatTemplate,
  type ChatMessage,
  type ChatTemplateOptions,
  PLAIN_CHAT_STOP,
  PLAIN_CHAT_TEMPLATE,
} from './chat-template.ts';
export { type LoadTokenizerOptions, loadTokenizer } from './load-tokenizer.ts';
export type { DecodeOptions, EncodeOptions, StreamDecoder, Tokenizer } from './tokenizer.ts';
