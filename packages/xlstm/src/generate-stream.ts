import { OptionError } from '@xlstm/device';
import type { Tokenizer } from '@xlstm/tokenizer';
import {
  type FinishReason,
  type GenerateOutcome,
  type GenerateTokensOptions,
  generateTokens,
  type TokenLogprobs,
  type XLSTMLarge,
} from '@xlstm/xlstm-large';
import { tellEnd } from './end-before-begin.ts';
import { checkGenerateOptions, type GenerateOptions, stopsOf } from './generate-options.ts';
import type { GenerateChunk, GeneratedText, GenerateResult } from './generated-text.ts';
import { StopStrings } from './stop-strings.ts';

/**
 * A running generation: iterate it for chunks as they come, or await `result()` for the whole. It starts at the first
 * of the two. Leaving the loop ends it and releases what it holds.
 */
export class GenerateStream implements GeneratedText {
  readonly promptIds: readonly number[];
  readonly #generator: AsyncGenerator<GenerateChunk, void>;
  readonly #result: Promise<GenerateResult>;
  #settle!: { resolve: (result: GenerateResult) => void; reject: (error: unknown) => void };
  #started = false;

  constructor(model: XLSTMLarge, tokenizer: Tokenizer, promptIds: readonly number[], options: GenerateOptions) {
    checkGenerateOptions(options);
    const { stop, ...rest } = options;
    const stops = stopsOf(stop);
    this.promptIds = promptIds;
    this.#result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever iterates meets the error there; result() still rejects for whoever asks.
    this.#result.catch(() => {});
    this.#generator = this.#run(model, tokenizer, new StopStrings(stops), { ...rest, promptIds });
  }

  [Symbol.asyncIterator](): AsyncGenerator<GenerateChunk, void> {
    if (this.#started) {
      throw new OptionError('generate: a stream can be iterated once; call generate() again, or use result()');
    }
    this.#started = true;
    return tellEnd(this.#generator, () =>
      this.#settle.reject(new OptionError('generate: the stream was closed before it began; call generate() again')),
    );
  }

  /** The whole generation; runs it to its end unless someone iterates it already. */
  async result(): Promise<GenerateResult> {
    if (!this.#started) {
      for await (const _ of this) {
        // result() gathers what the chunks say.
      }
    }
    return this.#result;
  }

  async *#run(
    model: XLSTMLarge,
    tokenizer: Tokenizer,
    stops: StopStrings,
    options: GenerateTokensOptions,
  ): AsyncGenerator<GenerateChunk, void> {
    const decoder = tokenizer.stream({ skipSpecialTokens: true });
    const tokenIds: number[] = [];
    const likely: TokenLogprobs[] = [];
    const usage = () => ({ promptTokens: this.promptIds.length, completionTokens: tokenIds.length });
    let text = '';
    let outcome: GenerateOutcome | undefined;
    const onEnd = (ended: GenerateOutcome) => {
      outcome = ended;
    };
    try {
      for await (const { id, logprobs } of generateTokens(model, { ...options, onEnd })) {
        const more = logprobs ? { logprobs: [logprobs] } : {};
        tokenIds.push(id);
        if (logprobs) likely.push(logprobs);
        const shown = stops.push(decoder.push(id));
        text += shown;
        yield { text: shown, tokenIds: [id], ...more };
        if (stops.stopped) break;
      }
      const { finishReason, timings } = outcome!;
      const rest = stops.push(decoder.flush()) + stops.flush();
      text += rest;
      const reason: FinishReason = stops.stopped ? 'stop' : finishReason;
      outcome = { ...outcome!, finishReason: reason };
      yield { text: rest, tokenIds: [], finishReason: reason, usage: usage(), timings };
    } catch (error) {
      this.#settle.reject(error);
      throw error;
    } finally {
      // Reached at the end and when the reader leaves; leaving has ended the token generator by now.
      if (outcome) {
        const more = options.logprobs === undefined ? {} : { logprobs: likely };
        this.#settle.resolve({ text, promptIds: this.promptIds, tokenIds, ...more, usage: usage(), ...outcome });
      }
    }
  }
}
