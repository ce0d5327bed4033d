import { type Connection, contentLength, type Reply, request } from '../transfer/request.ts';
import { retrying } from '../transfer/retry.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import type { ModelId } from './model-id.ts';

/** The hub as one user sees it. */
export interface Hub {
  readonly endpoint: string;
  readonly hasToken: boolean;
  readonly connection: Connection;
}

/** A revision's commit, and what its repository holds at the top. */
export interface ModelListing {
  readonly commit: string;
  readonly files: ReadonlyMap<string, ListedFile>;
}

export interface ListedFile {
  readonly name: string;
  /** The hash by which caches name the content: sha256 of large files, git's for others. */
  readonly blob: string | undefined;
  readonly size: number | undefined;
}

const MAX_LISTING_BYTES = 64 * 1024 * 1024;
/** What may become a file's name in the cache. */
const SAFE_NAME = /^\w[\w.+-]{0,254}$/;
const SAFE_BLOB = /^[\w-][\w.-]{0,199}$/;

/** Asks which files a model has at a revision. */
export async function listModel(
  hub: Hub,
  { id, revision }: ModelId,
  signal: AbortSignal | undefined,
): Promise<ModelListing> {
  const url = `${hub.endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const what = `resolveModel: listing of ${id} at ${revision}`;
  const text = await retrying(what, hub.connection.policy, signal, async () => {
    const reply = await request(url, hub.connection, { signal });
    if (reply.status !== 200) throw await refusal(reply, hub, { id, revision }, signal);
    return reply.text(MAX_LISTING_BYTES);
  });
  return parseListing(text, what, hub.endpoint);
}

function parseListing(text: string, what: string, endpoint: string): ModelListing {
  const malformed = (how: string, cause?: unknown): never => {
    throw new TransferError('protocol', `${what}: ${endpoint} ${how}; check that HF_ENDPOINT is a hub`, { cause });
  };
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    malformed('does not answer in JSON', error);
  }
  const { sha, siblings } = (root ?? {}) as { sha?: unknown; siblings?: unknown };
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) return malformed('names no commit');
  if (!Array.isArray(siblings)) return malformed('lists no files');
  const files = new Map<string, ListedFile>();
  for (const sibling of siblings as unknown[]) {
    const file = listedFile(sibling);
    if (file) files.set(file.name, file);
  }
  return { commit: sha, files };
}

function listedFile(sibling: unknown): ListedFile | undefined {
  if (typeof sibling !== 'object' || sibling === null) return undefined;
  const { rfilename, size, blobId, lfs } = sibling as Record<string, unknown>;
  if (typeof rfilename !== 'string' || !SAFE_NAME.test(rfilename)) return undefined;
  const large = (typeof lfs === 'object' && lfs !== null ? lfs : {}) as Record<string, unknown>;
  const blob = large.sha256 ?? (lfs ? undefined : blobId);
  const length = large.size ?? size;
  return {
    name: rfilename,
    blob: typeof blob === 'string' && SAFE_BLOB.test(blob) ? blob : undefined,
    size: typeof length === 'number' && Number.isSafeInteger(length) && length >= 0 ? length : undefined,
  };
}

export function fileUrl(hub: Hub, id: string, commit: string, name: string): string {
  return `${hub.endpoint}/${id}/resolve/${commit}/${encodeURIComponent(name)}`;
}

/** Hash and size of a file, from its headers where the listing of a mirror does not tell them. */
export async function withBlob(
  hub: Hub,
  model: ModelId,
  commit: string,
  file: ListedFile,
  signal: AbortSignal | undefined,
): Promise<ListedFile & { readonly blob: string }> {
  if (file.blob !== undefined) return { ...file, blob: file.blob };
  const what = `resolveModel: headers of ${file.name} of ${model.id}`;
  return retrying(what, hub.connection.policy, signal, async () => {
    const url = fileUrl(hub, model.id, commit, file.name);
    const reply = await request(url, hub.connection, { method: 'HEAD', signal, stayAtOrigin: true });
    reply.discard();
    if (reply.status >= 400) throw await refusal(reply, hub, model, signal);
    const etag = reply.headers.get('x-linked-etag') ?? (reply.elsewhere ? null : reply.headers.get('etag'));
    const blob = etag?.replace(/^W\//, '').replaceAll('"', '') ?? '';
    if (!SAFE_BLOB.test(blob)) {
      throw new TransferError(
        'protocol',
        `${what}: the server gives no usable ETag, by which the cache would name the file; use another HF_ENDPOINT`,
      );
    }
    const linked = Number(reply.headers.get('x-linked-size') ?? Number.NaN);
    const redirected = reply.status >= 300;
    const size = Number.isSafeInteger(linked) ? linked : redirected ? undefined : contentLength(reply.headers);
    return { name: file.name, blob, size: file.size ?? size };
  });
}

/** What a refusal of the hub means and what to do about it. */
export async function refusal(
  reply: Reply,
  hub: Hub,
  { id, revision }: ModelId,
  signal: AbortSignal | undefined,
): Promise<TransferError> {
  const { status } = reply;
  const code = reply.headers.get('x-error-code');
  reply.discard();
  const page = `${hub.endpoint}/${id}`;
  const giveToken = hub.hasToken
    ? 'the token that was sent does not allow it: check that it is valid and may read this model'
    : 'pass a token, or set HF_TOKEN';
  if (code === 'GatedRepo') {
    return new TransferError(
      'gated',
      `resolveModel: ${id} is gated (${status}): accept its terms at ${page} first; ${hub.hasToken ? '' : 'then '}${giveToken}`,
    );
  }
  const unknown = new TransferError(
    'not-found',
    `resolveModel: ${hub.endpoint} has no model ${id} (${status}), or it is private; check the id; if it is private, ${giveToken}`,
  );
  if (code === 'RevisionNotFound' || (status === 404 && code === null && (await exists(hub, id, signal)))) {
    return new TransferError(
      'revision-not-found',
      `resolveModel: ${id} has no revision ${revision} (${status}); name a branch, tag or commit of ${page}/commits`,
    );
  }
  if (code === 'RepoNotFound' || (status === 404 && code !== 'EntryNotFound')) return unknown;
  if (code === 'EntryNotFound') {
    return new TransferError(
      'not-found',
      `resolveModel: ${id} lists a file that its server does not have (${status}); try again later`,
    );
  }
  if (status === 401 && !hub.hasToken) return unknown;
  if (status === 401 || status === 403) {
    return new TransferError('unauthorized', `resolveModel: ${hub.endpoint} refuses ${id} (${status}); ${giveToken}`);
  }
  return new TransferError('protocol', `resolveModel: ${hub.endpoint} answers ${status} for ${id}; try again later`);
}

/** Mirrors that tell no reason: is it the model or the revision that is not there? */
async function exists(hub: Hub, id: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const reply = await request(`${hub.endpoint}/api/models/${id}`, hub.connection, { signal });
    reply.discard();
    return reply.status === 200;
  } catch {
    signal?.throwIfAborted();
    return false;
  }
}
