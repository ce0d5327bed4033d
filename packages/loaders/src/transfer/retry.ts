import { OptionError } from '@xlstm/device';
import { TransferError } from './transfer-error.ts';

/** How failures that pass are waited out. */
export interface RetryOptions {
  /** Tries after the first that bring nothing new; the count begins again with every megabyte that arrives. */
  readonly retries?: number | undefined;
  /** The first wait; it doubles from try to try, and a random part of it is taken, so that clients do not march in step. */
  readonly baseDelayMs?: number | undefined;
  readonly maxDelayMs?: number | undefined;
  /** A server that asks (Retry-After) for a longer wait than this ends the transfer. */
  readonly maxRetryAfterMs?: number | undefined;
  /** No byte for this long counts as a cut. */
  readonly idleTimeoutMs?: number | undefined;
}

export type RetryPolicy = { readonly [Key in keyof RetryOptions]-?: number };

const DEFAULTS: RetryPolicy = {
  retries: 6,
  baseDelayMs: 500,
  maxDelayMs: 20_000,
  maxRetryAfterMs: 120_000,
  idleTimeoutMs: 30_000,
};

/** The options with defaults filled in. */
export function retryPolicy(operation: string, options: RetryOptions = {}): RetryPolicy {
  const policy: Record<string, number> = { ...DEFAULTS };
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(DEFAULTS, key) || typeof value !== 'number' || !(value >= 0)) {
      throw new OptionError(
        `${operation}: retry takes ${Object.keys(DEFAULTS).join(', ')}, each a number of 0 or more, got ${key}: ${String(value)}`,
      );
    }
    policy[key] = value;
  }
  return policy as unknown as RetryPolicy;
}

/** A failure that may pass: a cut connection, a busy server. Never leaves this package. */
export class Interruption extends Error {
  override name = 'Interruption';
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * Repeats `attempt` while it ends in an `Interruption`, at most `policy.retries` times in a row; `attempt` calls
 * `advanced` when it made headway.
 */
export async function retrying<T>(
  what: string,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  attempt: (advanced: () => void) => Promise<T>,
): Promise<T> {
  let failures = 0;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Interruption)) throw error;
      failures++;
      if (failures > policy.retries) {
        throw new TransferError(
          'network',
          `${what}: gave up after ${failures === 1 ? 'a try' : `${failures} tries`} that brought nothing new, the last: ${error.message}; check the connection and try again`,
          { cause: error },
        );
      }
      await sleep(delayOf(what, failures, error, policy), signal);
    }
  }
}

function delayOf(what: string, failures: number, error: Interruption, policy: RetryPolicy): number {
  const { retryAfterMs } = error;
  const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (failures - 1));
  const jittered = ceiling * (0.5 + 0.5 * Math.random());
  if (retryAfterMs === undefined) return jittered;
  if (retryAfterMs > policy.maxRetryAfterMs) {
    throw new TransferError(
      'busy',
      `${what}: ${error.message}, and asks to wait ${Math.ceil(retryAfterMs / 1000)} s, longer than the ${policy.maxRetryAfterMs / 1000} s allowed; try again later`,
      { cause: error },
    );
  }
  return Math.max(retryAfterMs, policy.baseDelayMs * Math.random());
}

/** Milliseconds that a Retry-After header asks for, in seconds or as a date; undefined when it says neither. */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Waits; rejects with `signal.reason` as soon as that aborts. */
export function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
