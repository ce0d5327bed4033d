import { DisposedError, OptionError } from '@xlstm/device';
import { linkedSignal } from '../transfer/linked-signal.ts';
import {
  type Connection,
  contentLength,
  contentRange,
  type Fetch,
  hostOf,
  ifRange,
  type Reply,
  request,
  strongEtag,
} from '../transfer/request.ts';
import { Interruption, type RetryOptions, retrying, retryPolicy } from '../transfer/retry.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { type ByteSource, checkRange } from './byte-source.ts';
import { bytesSource } from './bytes-source.ts';

export interface HttpSourceOptions {
  /** Sent to the origin of the address alone; where a redirect leads away, they stay behind. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Ends the opening and every read. */
  readonly signal?: AbortSignal | undefined;
  readonly fetch?: Fetch | undefined;
  readonly retry?: RetryOptions | undefined;
  /** Files up to this size are read whole, once, from servers that know no ranges; 32 MiB unless given, 0 refuses. */
  readonly maxWholeBytes?: number | undefined;
}

const DEFAULT_WHOLE_BYTES = 32 * 1024 * 1024;
/** So much that is new makes earlier failures of a read forgotten. */
const HEADWAY = 256 * 1024;

/**
 * A source over a web address that is read by HTTP ranges; nothing is kept. Cuts are resumed, busy servers are waited
 * for (Retry-After is honoured), and a file that changes on the server between reads is noticed.
 *
 * @param url an http or https address; its last part is the source's name.
 * @throws OptionError for an address or options that cannot be; TransferError with a `code`: `not-found`,
 * `unauthorized`, `no-ranges`, `changed`, `network`, `busy`; `signal.reason` when aborted. Reads throw alike.
 * @example
 * const file = await openSafetensors(await httpSource('https://example.com/model.safetensors'));
 */
export async function httpSource(url: string, options: HttpSourceOptions = {}): Promise<ByteSource> {
  const name = fileNameOf(url);
  const connection: Connection = {
    fetch: options.fetch ?? globalThis.fetch,
    headers: options.headers ?? {},
    policy: retryPolicy('httpSource', options.retry),
  };
  return openHttpSource(url, name, connection, options.maxWholeBytes ?? DEFAULT_WHOLE_BYTES, options.signal);
}

/** The plain name at the end of an address's path. */
function fileNameOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const name = parsed?.pathname.split('/').at(-1) ?? '';
  if (!parsed || !/^https?:$/.test(parsed.protocol) || name === '') {
    throw new OptionError(`httpSource: url must be the http or https address of a file, got ${JSON.stringify(url)}`);
  }
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** As `httpSource`, for callers who know the connection and the name. */
export async function openHttpSource(
  url: string,
  name: string,
  connection: Connection,
  maxWholeBytes: number,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  const what = `httpSource: ${name} at ${hostOf(url)}`;
  return retrying(what, connection.policy, signal, async () => {
    const reply = await request(url, connection, { headers: { range: 'bytes=0-0' }, signal });
    try {
      const etag = strongEtag(reply.headers);
      if (reply.status === 200) return bytesSource(await wholeBody(reply, what, maxWholeBytes), name);
      const empty = reply.status === 416 && /^bytes \*\/0$/.test(reply.headers.get('content-range') ?? '');
      if (empty) return bytesSource(new Uint8Array(0), name);
      if (reply.status !== 206) throw statusError(what, reply.status);
      const size = contentRange(reply.headers)?.total ?? (await sizeFromHead(url, what, connection, signal));
      return new HttpSource(url, name, size, etag, connection, signal);
    } finally {
      reply.discard();
    }
  });
}

async function wholeBody(reply: Reply, what: string, maxBytes: number): Promise<Uint8Array> {
  const length = contentLength(reply.headers);
  const refuse = (size: string): never => {
    throw new TransferError(
      'no-ranges',
      `${what}: the server answers a range with the whole file of ${size} bytes, and at most ${maxBytes} are read so; use a server that knows ranges, raise maxWholeBytes, or download the file first`,
    );
  };
  if (length !== undefined && length > maxBytes) refuse(String(length));
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of reply.pieces()) {
    size += piece.byteLength;
    if (size > maxBytes) refuse(`over ${maxBytes}`);
    pieces.push(piece);
  }
  if (length !== undefined && size !== length) {
    throw new Interruption(`the connection ended at byte ${size} of ${length}`);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

/** Servers of another origin may hide Content-Range from a page. */
async function sizeFromHead(
  url: string,
  what: string,
  connection: Connection,
  signal: AbortSignal | undefined,
): Promise<number> {
  const head = await request(url, connection, { method: 'HEAD', signal });
  head.discard();
  const size = head.status === 200 ? contentLength(head.headers) : undefined;
  if (size === undefined) {
    throw new TransferError(
      'no-ranges',
      `${what}: the server does not say how large the file is; let it expose Content-Range or Content-Length`,
    );
  }
  return size;
}

function statusError(what: string, status: number): TransferError {
  if (status === 404 || status === 410) {
    return new TransferError('not-found', `${what}: there is no such file (${status}); check the address`);
  }
  if (status === 401 || status === 403) {
    return new TransferError(
      'unauthorized',
      `${what}: the server refuses to give it (${status}); pass headers that allow it`,
    );
  }
  return new TransferError('protocol', `${what}: expected 206 for a range, got ${status}; check the address`);
}

class HttpSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  bytesRead = 0;
  private readonly url: string;
  private readonly etag: string | undefined;
  private readonly connection: Connection;
  private readonly signal: AbortSignal | undefined;
  private closed = false;

  constructor(
    url: string,
    name: string,
    size: number,
    etag: string | undefined,
    connection: Connection,
    signal: AbortSignal | undefined,
  ) {
    this.url = url;
    this.name = name;
    this.size = size;
    this.etag = etag;
    this.connection = connection;
    this.signal = signal;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkRange('httpSource', this.name, this.size, offset, length);
    const target = new Uint8Array(length);
    await this.readInto(offset, target, signal);
    return target;
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    checkRange('httpSource', this.name, this.size, offset, target.byteLength);
    const { signal: joined, unlink } = linkedSignal(signal, this.signal);
    try {
      await this.fill(offset, target, joined);
    } finally {
      unlink();
    }
  }

  private async fill(offset: number, target: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let filled = 0;
    let headway = HEADWAY;
    await retrying(
      `httpSource: ${this.name} at ${hostOf(this.url)}`,
      this.connection.policy,
      signal,
      async (advanced) => {
        if (this.closed) throw new DisposedError(`httpSource: ${this.name} was closed; open it again to read`);
        if (filled === target.byteLength) return;
        const first = offset + filled;
        const range = `bytes=${first}-${offset + target.byteLength - 1}`;
        const headers = { range, ...ifRange(this.etag) };
        const reply = await request(this.url, this.connection, { headers, signal });
        try {
          this.check(reply, first);
          for await (const piece of reply.pieces()) {
            if (piece.byteLength > target.byteLength - filled) throw this.changed('it sends more than was asked for');
            target.set(piece, filled);
            filled += piece.byteLength;
            this.bytesRead += piece.byteLength;
            if (filled >= headway) {
              headway = filled + HEADWAY;
              advanced();
            }
          }
        } finally {
          reply.discard();
        }
        if (filled < target.byteLength) {
          throw new Interruption(`the connection ended at byte ${offset + filled}`);
        }
      },
    );
  }

  private check(reply: Reply, first: number): void {
    const etag = strongEtag(reply.headers);
    const tagged = this.etag !== undefined && etag !== undefined;
    if (reply.status === 200 || reply.status === 412 || reply.status === 416) {
      throw this.changed(`it answers ${reply.status} to a range`);
    }
    if (reply.status !== 206) throw statusError(`httpSource: ${this.name} at ${hostOf(this.url)}`, reply.status);
    if (tagged && etag !== this.etag) throw this.changed(`its ETag was ${this.etag} and is ${etag}`);
    const range = contentRange(reply.headers);
    if (range && (range.first !== first || range.total !== this.size)) {
      throw this.changed(`asked from byte ${first} of ${this.size}, it gives byte ${range.first} of ${range.total}`);
    }
  }

  private changed(how: string): TransferError {
    return new TransferError(
      'changed',
      `httpSource: ${this.name} at ${hostOf(this.url)} is no longer the file that was opened: ${how}; open it again`,
    );
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
