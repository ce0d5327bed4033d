import { OptionError } from '@xlstm/device';
import { checkSamplingOptions, type SamplingOptions } from '@xlstm/tensor';
import { Decoder } from './decoder.ts';
import { logprobsOf, type TokenLogprobs } from './logprobs.ts';
import type { XLSTMLarge } from './model.ts';
import { checkIds, prefill } from './prefill.ts';
import { prepareGeneration } from './prepare-generation.ts';
import { XlstmState } from './state.ts';

/** Options of `generateTokens`. */
export interface GenerateTokensOptions extends SamplingOptions {
  /** Tokens to read first. May be empty only with a `state` that has read some already. */
  promptIds: ArrayLike<number>;
  /** At most this many new tokens. Default 256. */
  maxNewTokens?: number;
  /** Ids that end the generation; the configuration's `eos_token_id` by default, `[]` for none. */
  eosTokenIds?: readonly number[];
  /** The past to go on from. It stays the caller's and ends at the last token that was yielded. */
  state?: XlstmState;
  /**
   * Also tell how likely each token was, and the given number (0…20) of most likely ones. Natural logarithms of the
   * model's own distribution, before temperature and filters. Costs a read of all logits a token.
   */
  logprobs?: number;
  signal?: AbortSignal | undefined;
  /** Called during prefill with the prompt tokens read so far and in all. */
  onPrefill?: ((done: number, total: number) => void) | undefined;
  /** Called once when the generation is over, however it ended, with what can be said of it. */
  onEnd?: ((outcome: GenerateOutcome) => void) | undefined;
}

/** Why a generation ended: an end token, `maxNewTokens`, or the reader left (a break, an abort, an error). */
export type FinishReason = 'stop' | 'length' | 'cancelled';

/** One token of a generation. */
export interface GeneratedToken {
  id: number;
  /** Where `logprobs` was asked for. */
  logprobs?: TokenLogprobs;
}

/** Where the time went. Milliseconds. */
export interface GenerateTimings {
  promptTokens: number;
  newTokens: number;
  prefillMs: number;
  decodeMs: number;
  /** From the call to the first new token. */
  firstTokenMs: number;
  prefillTokensPerSecond: number;
  decodeTokensPerSecond: number;
  /** Kernel launches per token; 0 when none was drawn. */
  dispatchesPerToken: number;
}

/** How a generation ended. */
export interface GenerateOutcome {
  finishReason: FinishReason;
  /** What was drawn with; pass it again for the same tokens. */
  seed: number;
  timings: GenerateTimings;
}

const SAMPLING_KEYS = ['temperature', 'topK', 'topP', 'minP', 'repetitionPenalty', 'seed'] as const;

/** The sampling part of the options, checked, with a seed. */
export function samplingOf(options: SamplingOptions, operation = 'generate'): SamplingOptions & { seed: number } {
  const sampling: Record<string, unknown> = {};
  for (const key of SAMPLING_KEYS) if (options[key] !== undefined) sampling[key] = options[key];
  checkSamplingOptions(operation, sampling as SamplingOptions);
  const seed = sampling.seed ?? Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
  return { ...(sampling as SamplingOptions), seed: seed as number };
}

/** Types and ranges of what is not about sampling; callers without a type checker get words instead of a crash. */
export function checkOptions(model: XLSTMLarge, options: GenerateTokensOptions, operation = 'generate'): void {
  const { maxNewTokens = 0, logprobs = 0, eosTokenIds = [], signal, promptIds } = options;
  const { vocabSize } = model.config;
  if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 0) {
    throw new OptionError(`${operation}: maxNewTokens must be a non-negative integer, got ${String(maxNewTokens)}`);
  }
  if (!(Number.isInteger(logprobs) && logprobs >= 0 && logprobs <= 20)) {
    throw new OptionError(`${operation}: logprobs must be an integer in 0…20, got ${String(logprobs)}`);
  }
  const isId = (id: unknown) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
  if (!Array.isArray(eosTokenIds) || !eosTokenIds.every(isId)) {
    throw new OptionError(
      `${operation}: eosTokenIds must be a list of token ids below ${vocabSize}, got ${JSON.stringify(eosTokenIds)}`,
    );
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new OptionError(`${operation}: signal must be an AbortSignal, got ${String(signal)}`);
  }
  for (const name of ['onPrefill', 'onEnd'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      throw new OptionError(`${operation}: ${name} must be a function, got ${String(options[name])}`);
    }
  }
  if (typeof promptIds?.length !== 'number' || typeof promptIds === 'string') {
    throw new OptionError(`${operation}: the prompt must be text or a list of token ids, got ${String(promptIds)}`);
  }
  checkIds(operation, [promptIds], vocabSize);
}

/** Whether there is something to go on from: a prompt, or a state of this model that has a past and one sequence. */
export function checkPast(model: XLSTMLarge, options: GenerateTokensOptions, operation = 'generate'): void {
  const { state, promptIds } = options;
  if (state !== undefined && !(state instanceof XlstmState)) {
    throw new OptionError(`${operation}: the state must be one of this model; make it with model.createState()`);
  }
  if (promptIds.length === 0 && !state?.position) {
    throw new OptionError(
      `${operation}: the prompt has no tokens; begin with the BOS id, or pass a state that has a past`,
    );
  }
  if (state && state.batch !== 1) {
    throw new OptionError(`${operation}: works on one sequence, the state has batch ${state.batch}`);
  }
  state?.assertFor(operation, model);
}

/**
 * Generates tokens one by one after a prompt. A `break`, an abort or an error releases everything this call made and
 * leaves a given state at the last token that was yielded.
 *
 * @throws OptionError for options out of range or an empty prompt on an empty state, StateError for a state of another
 *   model or device, before anything is computed; `signal.reason` on abort; DeviceLostError when the device goes away
 * @example
 * ```ts
 * for await (const { id } of generateTokens(model, { promptIds: [0, 2353], temperature: 0 })) console.log(id)
 * ```
 */
export async function* generateTokens(
  model: XLSTMLarge,
  options: GenerateTokensOptions,
): AsyncGenerator<GeneratedToken, void> {
  const { promptIds, maxNewTokens = 256, signal, eosTokenIds = model.config.eosTokenIds, logprobs } = options;
  const sampling = samplingOf(options);
  checkOptions(model, options);
  checkPast(model, options);
  signal?.throwIfAborted();
  const state = options.state ?? model.createState();
  const release = state.acquire('generate');
  const clock = new GenerationClock(promptIds.length);
  let finishReason: FinishReason = 'cancelled';
  let decoder: Decoder | undefined;
  try {
    const drawing = maxNewTokens > 0 ? { sampling } : {};
    await prepareGeneration(model, state, { promptLength: promptIds.length, ...drawing, signal });
    await prefill(model, [promptIds], state, { signal, onProgress: options.onPrefill });
    clock.prefilled();
    if (maxNewTokens > 0) decoder = new Decoder(model, state, { sampling, promptIds });
    // A GPU reads the token into the state while the host learns of it; the token is yielded, so it is committed.
    const overlap = model.device.kind !== 'cpu';
    for (let left = maxNewTokens; left > 0; left--) {
      signal?.throwIfAborted();
      const drawn = decoder!.sample();
      const row = logprobs === undefined ? undefined : model.device.read(state.logits);
      row?.catch(() => {}); // Where both reads fail, the one awaited first tells.
      // A last token that no one will go on from is not worth a step.
      const wanted = options.state !== undefined || left > 1;
      if (wanted && overlap) decoder!.advance();
      const id = (await drawn)[0]!;
      clock.token();
      const ended = eosTokenIds.includes(id);
      if (wanted && !overlap && (!ended || options.state)) decoder!.advance();
      if (ended) finishReason = 'stop';
      yield row ? { id, logprobs: logprobsOf((await row) as Float32Array, id, logprobs!) } : { id };
      if (ended) return;
      // The CPU device never waits for anything: without this, signals and timers would starve.
      if (!overlap) await nextTask();
    }
    finishReason = 'length';
  } finally {
    const timings = clock.timings(decoder?.dispatches ?? 0);
    decoder?.dispose();
    release();
    if (!options.state) state.dispose();
    options.onEnd?.({ finishReason, seed: sampling.seed, timings });
  }
}

/** Notes when things happened. */
class GenerationClock {
  readonly #promptTokens: number;
  readonly #begun = performance.now();
  #prefilled: number | undefined;
  #first: number | undefined;
  #tokens = 0;

  constructor(promptTokens: number) {
    this.#promptTokens = promptTokens;
  }

  prefilled(): void {
    this.#prefilled = performance.now();
  }

  token(): void {
    this.#first ??= performance.now();
    this.#tokens++;
  }

  timings(dispatchesPerToken: number): GenerateTimings {
    const now = performance.now();
    const prefilled = this.#prefilled ?? now;
    const perSecond = (count: number, ms: number) => (ms > 0 ? (1000 * count) / ms : 0);
    return {
      promptTokens: this.#promptTokens,
      newTokens: this.#tokens,
      prefillMs: prefilled - this.#begun,
      decodeMs: now - prefilled,
      firstTokenMs: (this.#first ?? now) - this.#begun,
      prefillTokensPerSecond: perSecond(this.#promptTokens, prefilled - this.#begun),
      decodeTokensPerSecond: perSecond(this.#tokens, now - prefilled),
      dispatchesPerToken,
    };
  }
}

/** Lets other tasks run. Not by a timer where there is anything else: browsers make nested ones wait 4 ms. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(() => resolve());
    else if (typeof MessageChannel === 'function') {
      // Node's types know a MessagePort's events by other names; this branch is for browsers.
      const { port1, port2 } = new MessageChannel() as unknown as {
        port1: { onmessage: () => void; close(): void };
        port2: { postMessage(message: undefined): void };
      };
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(undefined);
    } else setTimeout(resolve, 0);
  });
}
