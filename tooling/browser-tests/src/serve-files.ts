import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** What is served at a path: a text, or a file. */
export type ServedFile = { text: string } | { path: string };

/** A running server. */
export interface FileServer {
  /** Without a slash at its end. */
  origin: string;
  close(): Promise<void>;
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
};

/** Serves exactly the given paths (`/` first) to this machine alone, at a free port of 127.0.0.1. */
export async function serveFiles(files: ReadonlyMap<string, ServedFile>): Promise<FileServer> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost').pathname;
    const file = files.get(url);
    const send = async (): Promise<void> => {
      if (!file) {
        response.writeHead(404).end();
        return;
      }
      const type = MEDIA_TYPES[url === '/' ? '.html' : extname(url)] ?? 'application/octet-stream';
      const length = 'text' in file ? Buffer.byteLength(file.text) : (await stat(file.path)).size;
      response.writeHead(200, { 'content-type': type, 'content-length': length });
      if ('text' in file) response.end(file.text);
      else await pipeline(createReadStream(file.path), response);
    };
    send().catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
