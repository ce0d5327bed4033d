import { linkedSignal } from './linked-signal.ts';
import { reason } from './reason.ts';
import { Interruption, parseRetryAfter, type RetryPolicy } from './retry.ts';
import { TransferError } from './transfer-error.ts';

export type Fetch = typeof globalThis.fetch;

/** Whom to ask and as whom. */
export interface Connection {
  readonly fetch: Fetch;
  /** The caller's headers, a token among them: only the origin that the request is for gets them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly policy: RetryPolicy;
}

export interface RequestOptions {
  readonly method?: 'GET' | 'HEAD';
  /** Headers of the request itself, such as Range; they follow redirects. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Redirects that leave the origin are answered as they are: their headers tell what a HEAD is after. */
  readonly stayAtOrigin?: boolean;
}

/** An answer whose body is read once or given up. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** Whether another origin gave the answer. */
  readonly elsewhere: boolean;
  /** The body's pieces; a cut or a silence ends them with an `Interruption`. */
  pieces(): AsyncGenerator<Uint8Array, void, void>;
  /** The body as text, of at most `maxBytes`. */
  text(maxBytes: number): Promise<string>;
  discard(): void;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 10;
const BUSY = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * One request, redirects followed. Answers that say "later" and failures of the network become an `Interruption`; any
 * other status is the caller's to judge.
 */
export async function request(url: string, connection: Connection, options: RequestOptions = {}): Promise<Reply> {
  const { signal } = options;
  signal?.throwIfAborted();
  const idle = new IdleTimer(connection.policy.idleTimeoutMs);
  const joined = linkedSignal(signal, idle.signal);
  const release = (): void => {
    idle.stop();
    joined.unlink();
  };
  const fail = (error: unknown): never => {
    release();
    signal?.throwIfAborted();
    if (error instanceof TransferError || error instanceof Interruption) throw error;
    const said = idle.signal.aborted ? `nothing came for ${connection.policy.idleTimeoutMs} ms` : networkReason(error);
    throw new Interruption(`${hostOf(url)}: ${said}`, { cause: error });
  };
  try {
    idle.restart();
    const { response, elsewhere } = await followed(url, connection, options, joined.signal);
    idle.stop();
    if (BUSY.has(response.status)) {
      discardBody(response);
      throw new Interruption(`${hostOf(url)} answered ${response.status}`, {
        retryAfterMs: parseRetryAfter(response.headers.get('retry-after'), Date.now()),
      });
    }
    return new FetchReply(response, elsewhere, idle, { release, fail, unlessAborted: joined.race });
  } catch (error) {
    return fail(error);
  }
}

async function followed(
  url: string,
  connection: Connection,
  options: RequestOptions,
  signal: AbortSignal,
): Promise<{ response: Response; elsewhere: boolean }> {
  const origin = new URL(url).origin;
  // Without identity a server may compress, and ranges would count compressed bytes. Browsers see to it themselves.
  const own = { 'accept-encoding': 'identity', ...options.headers };
  const method = options.method ?? 'GET';
  // Called as a plain function: a browser's fetch refuses to be anyone's method.
  const { fetch } = connection;
  if (!seesRedirects()) {
    const headers = { ...connection.headers, ...options.headers };
    const response = await fetch(url, { method, headers, signal });
    return { response, elsewhere: response.url !== '' && new URL(response.url).origin !== origin };
  }
  let at = url;
  let elsewhere = false;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const headers = elsewhere ? own : { ...connection.headers, ...own };
    const response = await fetch(at, { method, headers, signal, redirect: 'manual' });
    const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null;
    if (location === null) return { response, elsewhere };
    const next = redirectTarget(location, at);
    if (next.origin !== origin && options.stayAtOrigin) return { response, elsewhere };
    discardBody(response);
    // Once away, always away: the way back was chosen by a stranger.
    elsewhere ||= next.origin !== origin;
    at = next.href;
  }
  throw new TransferError('protocol', `${hostOf(url)}: more than ${MAX_REDIRECTS} redirects; check the address ${url}`);
}

/**
 * The condition that a range is of the file known by `etag`. A browser would ask a foreign server's leave for this
 * header, which few give; there the tag of the answer, which callers compare anyway, must do.
 */
export function ifRange(etag: string | undefined): Readonly<Record<string, string>> {
  return etag !== undefined && seesRedirects() ? { 'if-range': etag } : {};
}

/** Browsers hide redirects; they drop the Authorization header themselves when one leaves the origin. */
function seesRedirects(): boolean {
  return globalThis.process?.versions?.node !== undefined;
}

function redirectTarget(location: string, from: string): URL {
  const next = URL.canParse(location, from) ? new URL(location, from) : undefined;
  const downgraded = next?.protocol === 'http:' && from.startsWith('https:');
  if (!next || downgraded || !/^https?:$/.test(next.protocol)) {
    throw new TransferError(
      'protocol',
      `${hostOf(from)} redirects to ${JSON.stringify(location.slice(0, 200))}, which is ${downgraded ? 'not encrypted' : 'no web address'}; do not use this server`,
    );
  }
  return next;
}

/** How an answer lets go of timer and signal, and what a failure of it becomes. */
interface ReplyEnds {
  readonly release: () => void;
  /** Node 20 leaves reads of an aborted body pending for ever when all of it had arrived. */
  readonly unlessAborted: <T>(read: Promise<T>) => Promise<T>;
  readonly fail: (error: unknown) => never;
}

class FetchReply implements Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly elsewhere: boolean;
  private readonly response: Response;
  private readonly idle: IdleTimer;
  private readonly ends: ReplyEnds;

  constructor(response: Response, elsewhere: boolean, idle: IdleTimer, ends: ReplyEnds) {
    this.response = response;
    this.status = response.status;
    this.headers = response.headers;
    this.elsewhere = elsewhere;
    this.idle = idle;
    this.ends = ends;
  }

  async *pieces(): AsyncGenerator<Uint8Array, void, void> {
    const reader = this.response.body?.getReader();
    if (!reader) return;
    let ended = false;
    try {
      for (;;) {
        const { done, value } = await this.next(reader);
        ended = done || value === undefined;
        if (done || value === undefined) return;
        yield value;
      }
    } finally {
      this.ends.release();
      if (!ended) reader.cancel().catch(() => {});
    }
  }

  private async next(
    reader: ReadableStreamDefaultReader<Uint8Array>,
  ): Promise<{ done: boolean; value?: Uint8Array | undefined }> {
    this.idle.restart();
    try {
      return await this.ends.unlessAborted(reader.read());
    } catch (error) {
      return this.ends.fail(error);
    } finally {
      // The consumer's own time, such as a slow disk, is not the server's silence.
      this.idle.stop();
    }
  }

  async text(maxBytes: number): Promise<string> {
    const decoder = new TextDecoder();
    let text = '';
    let bytes = 0;
    for await (const piece of this.pieces()) {
      bytes += piece.byteLength;
      if (bytes > maxBytes) {
        throw new TransferError('protocol', `an answer of more than ${maxBytes} bytes where a short one was expected`);
      }
      text += decoder.decode(piece, { stream: true });
    }
    return text + decoder.decode();
  }

  async discard(): Promise<void> {
    this.ends.release();
    await discardBody(this.response);
  }
}

class IdleTimer {
  private readonly controller = new AbortController();
  private readonly milliseconds: number;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(milliseconds: number) {
    this.milliseconds = milliseconds;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  restart(): void {
    this.stop();
    this.timer = setTimeout(() => this.controller.abort(), this.milliseconds);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

/** Not waited for: a body that was aborted may never answer. */
function discardBody(response: Response): void {
  response.body?.cancel().catch(() => {});
}

/** fetch says "fetch failed" and hides why in the cause. */
function networkReason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message ? cause.message : reason(error);
}

/** The host, for messages: query strings of addresses may hold signatures. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

/** The entity tag when it is strong, as If-Range demands. */
export function strongEtag(headers: Headers): string | undefined {
  const etag = headers.get('etag');
  return etag?.startsWith('"') ? etag : undefined;
}

/** `first-last/total` of an answer to a range; undefined where it is missing, hidden or malformed. */
export function contentRange(headers: Headers): { first: number; last: number; total: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers.get('content-range')?.trim() ?? '');
  return match ? { first: Number(match[1]), last: Number(match[2]), total: Number(match[3]) } : undefined;
}

/** The body's length, where it is said and means the bytes that will be read. */
export function contentLength(headers: Headers): number | undefined {
  const encoded = headers.get('content-encoding');
  const length = headers.get('content-length');
  if (length === null || (encoded !== null && encoded !== 'identity')) return undefined;
  return /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
