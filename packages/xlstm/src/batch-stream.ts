import { OptionError } from '@xlstm/device';
import type { Tokenizer } from '@xlstm/tokenizer';
import {
  type BatchEvent,
  type BatchRequest,
  type GenerateOutcome,
  generateBatch,
  type TokenLogprobs,
  type XLSTMLarge,
} from '@xlstm/xlstm-large';
import type { BatchChunk, BatchOptions, GeneratedBatch, ResolvedPrompt } from './batch-options.ts';
import { tellEnd } from './end-before-begin.ts';
import { type GenerateOptions, stopsOf } from './generate-options.ts';
import type { GenerateChunk, GenerateResult } from './generated-text.ts';
import { StopStrings } from './stop-strings.ts';

/** The text of one sequence: whole characters, up to a stop string. */
class SequenceText {
  readonly promptIds: readonly number[];
  readonly request: BatchRequest;
  readonly #decoder: ReturnType<Tokenizer['stream']>;
  readonly #stops: StopStrings;
  /** Ends the sequence where a stop string has come. */
  readonly #stop = new AbortController();
  readonly #tokenIds: number[] = [];
  readonly #logprobs: TokenLogprobs[] = [];
  #text = '';
  #outcome: GenerateOutcome | undefined;

  constructor(tokenizer: Tokenizer, promptIds: readonly number[], { stop, ...options }: GenerateOptions) {
    this.promptIds = promptIds;
    this.#decoder = tokenizer.stream({ skipSpecialTokens: true });
    this.#stops = new StopStrings(stopsOf(stop));
    const signals = [options.signal, this.#stop.signal].filter((signal) => signal !== undefined);
    this.request = { ...options, promptIds, signal: AbortSignal.any(signals) };
  }

  token(id: number, logprobs: TokenLogprobs | undefined): GenerateChunk {
    this.#tokenIds.push(id);
    if (logprobs) this.#logprobs.push(logprobs);
    const text = this.#stops.push(this.#decoder.push(id));
    this.#text += text;
    if (this.#stops.stopped) this.#stop.abort();
    return { text, tokenIds: [id], ...(logprobs ? { logprobs: [logprobs] } : {}) };
  }

  /** What can be said when it is over, however it ended. */
  ended(outcome: GenerateOutcome): void {
    this.#outcome = this.#stops.stopped ? { ...outcome, finishReason: 'stop' } : outcome;
  }

  last(): GenerateChunk {
    const text = this.#stops.push(this.#decoder.flush()) + this.#stops.flush();
    this.#text += text;
    const { finishReason, timings } = this.#outcome!;
    return { text, tokenIds: [], finishReason, usage: this.#usage(), timings };
  }

  result(): GenerateResult {
    return {
      text: this.#text,
      promptIds: this.promptIds,
      tokenIds: this.#tokenIds,
      ...(this.request.logprobs === undefined ? {} : { logprobs: this.#logprobs }),
      usage: this.#usage(),
      ...this.#outcome!,
    };
  }

  #usage(): { promptTokens: number; completionTokens: number } {
    return { promptTokens: this.promptIds.length, completionTokens: this.#tokenIds.length };
  }
}

/**
 * A running batch: iterate it for chunks of all sequences as they come, or await `result()` for the whole. It starts at the
 * first of the two. Leaving the loop ends all sequences and releases what they hold.
 */
export class BatchStream implements GeneratedBatch {
  readonly promptIds: readonly (readonly number[])[];
  readonly #generator: AsyncGenerator<BatchChunk, void>;
  readonly #result: Promise<GenerateResult[]>;
  #settle!: { resolve: (results: GenerateResult[]) => void; reject: (error: unknown) => void };
  #started = false;

  /** Made by `model.generateBatch`. */
  constructor(
    model: XLSTMLarge,
    tokenizer: Tokenizer,
    prompts: readonly (ResolvedPrompt<GenerateOptions> & { prompt: number[] })[],
    { maxBatch, signal }: BatchOptions,
  ) {
    this.promptIds = prompts.map(({ prompt }) => prompt);
    this.#result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever iterates meets the error there; result() still rejects for whoever asks.
    this.#result.catch(() => {});
    const texts = prompts.map(({ prompt, options }) => new SequenceText(tokenizer, prompt, options));
    const onEnd = (index: number, outcome: GenerateOutcome): void => texts[index]!.ended(outcome);
    const requests = texts.map(({ request }) => request);
    this.#generator = this.#run(texts, generateBatch(model, requests, { maxBatch, signal, onEnd }));
  }

  [Symbol.asyncIterator](): AsyncGenerator<BatchChunk, void> {
    if (this.#started) {
      throw new OptionError('generateBatch: a batch can be iterated once; call generateBatch() again, or use result()');
    }
    this.#started = true;
    return tellEnd(this.#generator, () =>
      this.#settle.reject(new OptionError('generateBatch: closed before it began; call generateBatch() again')),
    );
  }

  /** One result a prompt, in order; runs the batch to its end unless someone iterates it already. */
  async result(): Promise<GenerateResult[]> {
    if (!this.#started) {
      for await (const _ of this) {
        // result() gathers what the chunks say.
      }
    }
    return this.#result;
  }

  async *#run(
    texts: readonly SequenceText[],
    events: AsyncGenerator<BatchEvent, void>,
  ): AsyncGenerator<BatchChunk, void> {
    let failed = false;
    try {
      for await (const event of events) {
        const { index } = event;
        const text = texts[index]!;
        yield { index, ...(event.type === 'token' ? text.token(event.id, event.logprobs) : text.last()) };
      }
    } catch (error) {
      failed = true;
      this.#settle.reject(error);
      throw error;
    } finally {
      // Reached at the end and when the reader leaves; leaving has ended every sequence by now.
      if (!failed) this.#settle.resolve(texts.map((text) => text.result()));
    }
  }
}
