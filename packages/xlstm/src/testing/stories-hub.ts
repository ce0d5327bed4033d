import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join, resolve } from 'node:path';

const STORIES = resolve(import.meta.dirname, '../../../../apps/cli/models/stories');

/** What the hub has of `ACME/stories`. */
export const STORIES_COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** A hub of one model, and what it has done. */
export interface StoriesHub {
  server: Server;
  /** Bytes of weights sent so far. */
  weightBytes: () => number;
  /** Makes it answer that it is busy, or no more. @returns the requests so far */
  answered: (busy: boolean) => number;
  /** Sends bodies in pieces of this many bytes, 10 ms apart. */
  slowDown: (pieceBytes: number) => void;
}

/** As much of the hub's interface as a download needs: the list of files, and the files by ranges. */
export function serveStories(): StoriesHub {
  let pieceBytes = Number.POSITIVE_INFINITY;
  let sent = 0;
  let requests = 0;
  let isBusy = false;
  const files = readdirSync(STORIES);
  const server = createServer((request, response) => {
    requests++;
    if (isBusy) return void response.writeHead(503, { 'retry-after': '7200' }).end();
    const path = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname);
    if (path.startsWith('/api/models/ACME/stories/revision/')) {
      response.setHeader('content-type', 'application/json');
      const siblings = files.map((name) => ({ rfilename: name, size: readFileSync(join(STORIES, name)).length }));
      response.end(JSON.stringify({ id: 'ACME/stories', sha: STORIES_COMMIT, siblings }));
      return;
    }
    const name = /^\/(?:ACME\/stories\/resolve\/[^/]+|plain)\/(.+)$/.exec(path)?.[1];
    if (!name || !files.includes(name)) {
      response.writeHead(404).end();
      return;
    }
    const bytes = readFileSync(join(STORIES, name));
    response.setHeader('etag', `"${name}-1"`);
    response.setHeader('x-repo-commit', STORIES_COMMIT);
    response.setHeader('accept-ranges', 'bytes');
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = range?.[2] ? Math.min(Number(range[2]), bytes.length - 1) : bytes.length - 1;
    if (range) {
      response.statusCode = 206;
      response.setHeader('content-range', `bytes ${start}-${end}/${bytes.length}`);
    }
    response.setHeader('content-length', end + 1 - start);
    if (request.method === 'HEAD') response.end();
    else {
      if (name.endsWith('.safetensors')) sent += end + 1 - start;
      const body = bytes.subarray(start, end + 1);
      const send = (at: number): void => {
        if (at + pieceBytes >= body.length) response.end(body.subarray(at));
        else response.write(body.subarray(at, at + pieceBytes), () => setTimeout(() => send(at + pieceBytes), 10));
      };
      send(0);
    }
  });
  const answered = (busy: boolean): number => {
    isBusy = busy;
    return requests;
  };
  const slowDown = (bytes: number): void => {
    pieceBytes = bytes;
  };
  return { server, weightBytes: () => sent, answered, slowDown };
}
