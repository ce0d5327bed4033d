import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server does with one request for a file's bytes, instead of its plain duty. */
export type Mischief =
  | { readonly kind: 'cut'; readonly afterBytes: number }
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: 'ignore-range' }
  | { readonly kind: 'change-etag' }
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'other-size' };

export interface RepositoryFile {
  readonly bytes: Uint8Array;
  /** Large files are named by sha256 and may be served from another origin. */
  readonly large: boolean;
}

export interface LoggedRequest {
  readonly origin: 'hub' | 'storage';
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export const COMMIT = 'c0ffee0000000000000000000000000000000001';

/** A hub with one model on 127.0.0.1, and a second origin for large files. Real sockets, real HTTP. */
export class HubServer {
  readonly id = 'ACME/tiny-xlstm';
  readonly log: LoggedRequest[] = [];
  readonly files: Map<string, RepositoryFile>;
  /** Asked before each answer. */
  mischief: (request: LoggedRequest) => Mischief | undefined = () => undefined;
  /** Demands this token. */
  token: string | undefined;
  gated = false;
  listsBlobs = true;
  redirects = true;
  /** Pieces of this size, so that cuts and aborts fall within files. */
  pieceBytes = 8192;
  pauseMs = 0;
  private readonly servers: Server[] = [];
  private etagTail = 0;
  endpoint = '';
  storage = '';

  constructor(files: Record<string, RepositoryFile>) {
    this.files = new Map(Object.entries(files));
  }

  async start(): Promise<this> {
    this.endpoint = await this.listen('hub');
    this.storage = await this.listen('storage');
    return this;
  }

  async stop(): Promise<void> {
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  private listen(origin: 'hub' | 'storage'): Promise<string> {
    const server = createServer((request, response) => {
      this.answer(origin, request, response).catch(() => response.destroy());
    });
    this.servers.push(server);
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      });
    });
  }

  private async answer(origin: 'hub' | 'storage', request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://host');
    const logged: LoggedRequest = {
      origin,
      method: request.method ?? '',
      path: url.pathname,
      authorization: request.headers.authorization,
      range: request.headers.range,
    };
    this.log.push(logged);
    for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value);
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    const mischief = this.mischief(logged);
    if (mischief?.kind === 'status') {
      const headers = mischief.retryAfter === undefined ? {} : { 'retry-after': mischief.retryAfter };
      return void response.writeHead(mischief.status, headers).end('later');
    }
    if (origin === 'storage') {
      const file = this.files.get(decodeURIComponent(url.pathname.slice(1)));
      if (!file) return void response.writeHead(404).end();
      describe(response, file);
      return this.send(request, response, file, mischief);
    }
    if (this.token !== undefined && logged.authorization !== `Bearer ${this.token}`) {
      return void response.writeHead(401, { 'x-error-code': this.gated ? 'GatedRepo' : 'RepoNotFound' }).end();
    }
    const api = new RegExp(`^/api/models/${this.id}(?:/revision/(.+))?$`).exec(url.pathname);
    if (api && mischief?.kind === 'cut') return void response.writeHead(200).write('{"sha":', () => response.destroy());
    if (api) return this.list(decodeURIComponent(api[1] ?? 'main'), response);
    if (url.pathname === `/api/models/${this.id}/tree/${COMMIT}`) return this.tree(response);
    const file = new RegExp(`^/${this.id}/resolve/${COMMIT}/([^/]+)$`).exec(url.pathname);
    const name = decodeURIComponent(file?.[1] ?? '');
    const found = this.files.get(name);
    if (!found) {
      const known = url.pathname.includes(this.id);
      return void response.writeHead(404, { 'x-error-code': known ? 'EntryNotFound' : 'RepoNotFound' }).end();
    }
    describe(response, found);
    if (found.large && this.redirects) {
      return void response.writeHead(302, { location: `${this.storage}/${encodeURIComponent(name)}` }).end();
    }
    return this.send(request, response, found, mischief);
  }

  private list(revision: string, response: ServerResponse): void {
    if (!['main', 'v1.0', COMMIT].includes(revision)) {
      return void response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
    }
    const siblings = [...this.files].map(([rfilename, file]) => {
      const size = file.bytes.byteLength;
      if (!this.listsBlobs) return { rfilename };
      return file.large
        ? { rfilename, size, blobId: 'f'.repeat(40), lfs: { sha256: blobName(file), size, pointerSize: 134 } }
        : { rfilename, size, blobId: blobName(file) };
    });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ id: this.id, sha: COMMIT, siblings }));
  }

  /** As Python's client asks for it. */
  private tree(response: ServerResponse): void {
    const entries = [...this.files].map(([path, file]) => {
      const size = file.bytes.byteLength;
      if (!file.large) return { type: 'file', path, size, oid: blobName(file) };
      return { type: 'file', path, size, oid: 'f'.repeat(40), lfs: { oid: blobName(file), size, pointerSize: 134 } };
    });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(entries));
  }

  private async send(
    request: IncomingMessage,
    response: ServerResponse,
    file: RepositoryFile,
    mischief: Mischief | undefined,
  ): Promise<void> {
    let { bytes } = file;
    if (mischief?.kind === 'change-etag') this.etagTail++;
    if (mischief?.kind === 'corrupt') bytes = bytes.map((byte, index) => (index % 997 === 500 ? byte ^ 0x40 : byte));
    if (mischief?.kind === 'other-size') bytes = bytes.subarray(0, Math.max(1, bytes.byteLength - 7));
    const etag = `"${blobName(file)}${this.etagTail === 0 ? '' : `-${this.etagTail}`}"`;
    const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const condition = request.headers['if-range'];
    const ranged = asked && mischief?.kind !== 'ignore-range' && (condition === undefined || condition === etag);
    const first = ranged ? Number(asked[1]) : 0;
    if (ranged && first >= bytes.byteLength) {
      return void response.writeHead(416, { 'content-range': `bytes */${bytes.byteLength}` }).end();
    }
    const last = ranged && asked[2] !== '' ? Math.min(Number(asked[2]), bytes.byteLength - 1) : bytes.byteLength - 1;
    const body = bytes.subarray(first, last + 1);
    response.writeHead(ranged ? 206 : 200, {
      etag,
      'content-length': body.byteLength,
      ...(ranged && { 'content-range': `bytes ${first}-${last}/${bytes.byteLength}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    const end = mischief?.kind === 'cut' ? Math.min(mischief.afterBytes, body.byteLength) : body.byteLength;
    for (let at = 0; at < end; at += this.pieceBytes) {
      if (response.destroyed) return;
      response.write(body.subarray(at, Math.min(end, at + this.pieceBytes)));
      if (this.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    }
    if (mischief?.kind !== 'cut') return void response.end();
    await new Promise((resolve) => setTimeout(resolve, 1));
    response.destroy();
  }
}

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'authorization, range',
  'access-control-expose-headers': 'etag, content-range, x-linked-etag, x-linked-size, x-error-code, x-repo-commit',
};

function describe(response: ServerResponse, file: RepositoryFile): void {
  response.setHeader('x-repo-commit', COMMIT);
  response.setHeader('x-linked-etag', `"${blobName(file)}"`);
  response.setHeader('x-linked-size', file.bytes.byteLength);
}

/** The name that the hub gives to a file's content. */
export function blobName({ bytes, large }: RepositoryFile): string {
  if (large) return createHash('sha256').update(bytes).digest('hex');
  return createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex');
}
