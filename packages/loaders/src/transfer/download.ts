import { type Connection, contentLength, contentRange, ifRange, type Reply, request, strongEtag } from './request.ts';
import { Interruption, retrying } from './retry.ts';
import { TransferError } from './transfer-error.ts';

/** Where a download goes: bytes are appended, and `size` of them are there. */
export interface DownloadTarget {
  readonly size: number;
  write(bytes: Uint8Array): Promise<void>;
  /** Forgets all bytes. */
  restart(): Promise<void>;
}

export interface DownloadOptions {
  readonly connection: Connection;
  /** What the whole file must have, where that is known. */
  readonly expectedSize: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onBytes?: (() => void) | undefined;
  /** The error for a status that is neither success nor worth another try. */
  readonly refused: (reply: Reply) => Promise<Error>;
}

/** So much that is new makes earlier failures forgotten. */
const HEADWAY = 1024 * 1024;

/**
 * Brings a whole file into `target`, from where that ends: cuts are resumed by ranges, servers that ignore ranges
 * begin again, and a file that becomes another one is begun again too.
 *
 * @throws TransferError `network` or `busy` when tries run out, `changed` when the size is not what was promised; what
 * the target throws; `signal.reason`. What has arrived stays in the target.
 */
export async function download(
  url: string,
  name: string,
  target: DownloadTarget,
  options: DownloadOptions,
): Promise<void> {
  const { expectedSize, signal } = options;
  let etag: string | undefined;
  let furthest = target.size;
  await retrying(`download of ${name}`, options.connection.policy, signal, async (advanced) => {
    if (expectedSize !== undefined && target.size > expectedSize) await target.restart();
    if (target.size === expectedSize) return;
    const asked = target.size;
    const headers = asked > 0 ? { range: `bytes=${asked}-`, ...ifRange(etag) } : {};
    const reply = await request(url, options.connection, { headers, signal });
    let total: number | undefined;
    try {
      total = await begin(reply, name, target, etag, options);
    } catch (error) {
      reply.discard();
      if (error instanceof Interruption) etag = undefined;
      throw error;
    }
    etag = strongEtag(reply.headers);
    for await (const piece of reply.pieces()) {
      if (total !== undefined && target.size + piece.byteLength > total) {
        await target.restart();
        throw new Interruption(`the server sent more than the ${total} bytes it promised`);
      }
      await target.write(piece);
      options.onBytes?.();
      if (target.size >= furthest + HEADWAY) {
        furthest = target.size;
        advanced();
      }
    }
    if (total !== undefined && target.size < total) {
      throw new Interruption(`the connection ended at byte ${target.size} of ${total}`);
    }
  });
}

/** Judges the answer's head and brings the target to where its body begins; returns the whole file's size, if known. */
async function begin(
  reply: Reply,
  name: string,
  target: DownloadTarget,
  etag: string | undefined,
  options: DownloadOptions,
): Promise<number | undefined> {
  const { expectedSize } = options;
  const now = strongEtag(reply.headers);
  if (reply.status === 206 && target.size > 0) {
    const range = contentRange(reply.headers);
    if (etag !== undefined && now !== undefined && now !== etag) {
      await target.restart();
      throw new Interruption(`${name} changed on the server during the download`);
    }
    if (range && range.first !== target.size) {
      await target.restart();
      throw new Interruption(`the server sent byte ${range.first} where another was asked for`);
    }
    return checkedTotal(range?.total, name, expectedSize);
  }
  if (reply.status === 200) {
    if (target.size > 0) await target.restart();
    return checkedTotal(contentLength(reply.headers), name, expectedSize);
  }
  if (reply.status === 416 && target.size > 0) {
    await target.restart();
    throw new Interruption('the server has no such range');
  }
  throw await options.refused(reply);
}

function checkedTotal(total: number | undefined, name: string, expected: number | undefined): number | undefined {
  if (total !== undefined && expected !== undefined && total !== expected) {
    throw new TransferError(
      'changed',
      `download of ${name}: the file should have ${expected} bytes, the server now has one of ${total}; it changed or a proxy is in the way, try again`,
    );
  }
  return total ?? expected;
}
