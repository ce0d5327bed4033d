import type { FinishReason, GenerateTimings, TokenLogprobs } from '@xlstm/xlstm-large';

/** One step of a stream. `text` may be empty while a character or a possible stop string is incomplete. */
export interface GenerateChunk {
  text: string;
  tokenIds: readonly number[];
  /** One entry per token, where `logprobs` was asked for. */
  logprobs?: readonly TokenLogprobs[];
  /** Only on the last chunk. */
  usage?: GenerateUsage;
  /** Only on the last chunk: `stop` (an end token or a stop string) or `length`. */
  finishReason?: FinishReason;
  /** Only on the last chunk. */
  timings?: GenerateTimings;
}

/** Tokens read and made. */
export interface GenerateUsage {
  promptTokens: number;
  completionTokens: number;
}

/** A whole generation. */
export interface GenerateResult {
  text: string;
  promptIds: readonly number[];
  tokenIds: readonly number[];
  /** One entry per token, where `logprobs` was asked for. */
  logprobs?: readonly TokenLogprobs[];
  usage: GenerateUsage;
  /** `cancelled` when the reader left before the end. */
  finishReason: FinishReason;
  /** What was drawn with; pass it again for the same tokens. */
  seed: number;
  timings: GenerateTimings;
}

/** What `generate` gives, here or in a worker: iterate it once for chunks as they come, or await the whole. */
export interface GeneratedText extends AsyncIterable<GenerateChunk> {
  [Symbol.asyncIterator](): AsyncGenerator<GenerateChunk, void>;
  /** The whole generation; runs it to its end unless someone iterates it already. */
  result(): Promise<GenerateResult>;
}
