import type { FinishReason, GenerateOutcome, GenerateTimings } from '../generate.ts';
import type { XlstmState } from '../state.ts';
import type { CheckedRequest } from './batch-requests.ts';

/** One sequence of a batch on its way from the list of requests to its end. */
export class BatchSequence {
  readonly request: CheckedRequest;
  /** Known as soon as its last token was drawn. */
  finishReason: FinishReason | undefined;
  /** The last token yielded, as long as it is not read into the batch's state. */
  unread: number | undefined;
  #left: number;
  #position = 0;
  readonly #called = performance.now();
  #begun: number | undefined;
  #prefilled: number | undefined;
  #first: number | undefined;
  #tokens = 0;

  constructor(request: CheckedRequest) {
    this.request = request;
    this.#left = request.maxNewTokens;
  }

  /** Tokens that it may still draw. */
  get left(): number {
    return this.#left;
  }

  get aborted(): boolean {
    return this.request.signal?.aborted === true;
  }

  /** Its prompt is about to be read. */
  begin(): void {
    this.#begun = performance.now();
  }

  /** Its prompt was read, into `state`. */
  prefilled(state: XlstmState): void {
    this.#prefilled = performance.now();
    this.#position = state.position;
  }

  /** A token was drawn that will be yielded. */
  token(id: number): void {
    this.#first ??= performance.now();
    this.#tokens++;
    this.#left--;
    this.unread = id;
    if (this.request.eosTokenIds.includes(id)) this.finishReason = 'stop';
    else if (this.#left === 0) this.finishReason = 'length';
  }

  /** The token just drawn will not be yielded after all. */
  untoken(): void {
    this.#tokens--;
    this.unread = undefined;
    this.finishReason = undefined;
  }

  /** Tokens that the batch's state has read of it, those before the batch included. */
  get position(): number {
    return this.#position + this.#tokens - (this.unread === undefined ? 0 : 1);
  }

  outcome(finishReason: FinishReason, dispatchesPerToken: number): GenerateOutcome {
    return { finishReason, seed: this.request.sampling.seed, timings: this.#timings(dispatchesPerToken) };
  }

  /** Prefill and decoding from when it came to its place; the first token from the call. */
  #timings(dispatchesPerToken: number): GenerateTimings {
    const now = performance.now();
    const begun = this.#begun ?? now;
    const prefilled = this.#prefilled ?? now;
    const perSecond = (count: number, ms: number) => (ms > 0 ? (1000 * count) / ms : 0);
    const promptTokens = this.request.promptIds.length;
    return {
      promptTokens,
      newTokens: this.#tokens,
      prefillMs: prefilled - begun,
      decodeMs: now - prefilled,
      firstTokenMs: (this.#first ?? now) - this.#called,
      prefillTokensPerSecond: perSecond(promptTokens, prefilled - begun),
      decodeTokensPerSecond: perSecond(this.#tokens, now - prefilled),
      dispatchesPerToken: this.#tokens === 0 ? 0 : dispatchesPerToken,
    };
  }
}
