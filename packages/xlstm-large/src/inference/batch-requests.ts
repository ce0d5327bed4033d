import { OptionError } from '@xlstm/device';
import type { SamplingOptions } from '@xlstm/tensor';
import {
  checkOptions,
  checkPast,
  type GeneratedToken,
  type GenerateOutcome,
  type GenerateTokensOptions,
  samplingOf,
} from '../generate.ts';
import type { XLSTMLarge } from '../model.ts';
import type { XlstmState } from '../state.ts';
import type { StepRunnerFactory } from './step-runner.ts';

/** Sequences at a time, where nobody says otherwise. */
export const DEFAULT_MAX_BATCH = 8;

/** One sequence of a batch: the options of `generateTokens`. Its `signal` ends this sequence alone. */
export type BatchRequest = Omit<GenerateTokensOptions, 'onEnd'>;

/** Options of `generateBatch`. */
export interface GenerateBatchOptions {
  /**
   * At most this many sequences at a time, 8 by default; further requests wait for a free place. A place takes the bytes of
   * one state.
   */
  maxBatch?: number | undefined;
  /** Ends all sequences. */
  signal?: AbortSignal | undefined;
  /** How a step is computed; by default as the readable model says. */
  stepRunner?: StepRunnerFactory | undefined;
  /** Called once for each sequence when it is over, however it ended, with what can be said of it. */
  onEnd?: ((index: number, outcome: GenerateOutcome) => void) | undefined;
}

/** A new token of the request at `index` of the list. */
export interface BatchToken extends GeneratedToken {
  type: 'token';
  index: number;
}

/** The request at `index` is over; a state that it was given is the caller's again. */
export interface BatchEnd {
  type: 'end';
  index: number;
  outcome: GenerateOutcome;
  /** The reason of its signal, where that ended it. */
  reason?: unknown;
}

export type BatchEvent = BatchToken | BatchEnd;

/** A request with its defaults filled in. */
export interface CheckedRequest {
  index: number;
  promptIds: ArrayLike<number>;
  maxNewTokens: number;
  eosTokenIds: readonly number[];
  sampling: SamplingOptions & { seed: number };
  logprobs: number | undefined;
  state: XlstmState | undefined;
  signal: AbortSignal | undefined;
  onPrefill: ((done: number, total: number) => void) | undefined;
}

function checkRequest(model: XLSTMLarge, request: BatchRequest, index: number): CheckedRequest {
  const operation = `generateBatch: requests[${index}]`;
  if (typeof request !== 'object' || request === null) {
    throw new OptionError(`${operation}: must be an object with promptIds, got ${String(request)}`);
  }
  const { promptIds, maxNewTokens = 256, eosTokenIds = model.config.eosTokenIds, logprobs, state, signal } = request;
  const sampling = samplingOf(request, operation);
  checkOptions(model, request, operation);
  checkPast(model, request, operation);
  return {
    index,
    promptIds,
    maxNewTokens,
    eosTokenIds,
    sampling,
    logprobs,
    state,
    signal,
    onPrefill: request.onPrefill,
  };
}

function checkShared({ maxBatch = DEFAULT_MAX_BATCH, signal, stepRunner, onEnd }: GenerateBatchOptions): void {
  if (!(Number.isSafeInteger(maxBatch) && maxBatch >= 1)) {
    throw new OptionError(`generateBatch: maxBatch must be an integer from 1 up, got ${String(maxBatch)}`);
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new OptionError(`generateBatch: signal must be an AbortSignal, got ${String(signal)}`);
  }
  for (const [name, value] of Object.entries({ stepRunner, onEnd })) {
    if (value !== undefined && typeof value !== 'function') {
      throw new OptionError(`generateBatch: ${name} must be a function, got ${String(value)}`);
    }
  }
}

/**
 * Checks everything that can be told before anything is computed.
 *
 * @throws OptionError, StateError or DisposedError that names the request by its index.
 */
export function checkRequests(
  model: XLSTMLarge,
  requests: readonly BatchRequest[],
  options: GenerateBatchOptions,
): CheckedRequest[] {
  if (!Array.isArray(requests)) {
    throw new OptionError(`generateBatch: requests must be a list, got ${String(requests)}`);
  }
  if (requests.length === 0) {
    throw new OptionError(
      'generateBatch: there is nothing to generate, the list of requests is empty; pass one at least',
    );
  }
  checkShared(options);
  const checked = requests.map((request, index) => checkRequest(model, request, index));
  const owners = new Map<XlstmState, number>();
  for (const { index, state } of checked) {
    const other = state && owners.get(state);
    if (other !== undefined) {
      throw new OptionError(
        `generateBatch: requests[${index}] has the state of requests[${other}]; give each its own (clone())`,
      );
    }
    if (state) owners.set(state, index);
  }
  return checked;
}
