import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** A running server. */
export interface FolderServer {
  /** Without a slash at its end. */
  readonly origin: string;
  close(): Promise<void>;
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

/** Serves folders, each below its path such as `/models/`, to this machine alone, at a free port of 127.0.0.1. */
export async function serveFolders(folders: Readonly<Record<string, string>>): Promise<FolderServer> {
  const find = async (path: string): Promise<string | undefined> => {
    const prefix = Object.keys(folders)
      .filter((each) => path.startsWith(each))
      .sort((a, b) => b.length - a.length)[0];
    if (prefix === undefined) return undefined;
    const root = await realpath(folders[prefix]!);
    const file = normalize(join(root, decodeURIComponent(path.slice(prefix.length))));
    if (file !== root && !file.startsWith(root + sep)) return undefined;
    const status = await stat(file).catch(() => undefined);
    return status?.isDirectory() ? join(file, 'index.html') : file;
  };
  const server = createServer((request, response) => {
    const send = async (): Promise<void> => {
      const file = await find(new URL(request.url ?? '/', 'http://localhost').pathname);
      const size = file === undefined ? undefined : (await stat(file).catch(() => undefined))?.size;
      if (file === undefined || size === undefined) {
        response.writeHead(404).end();
        return;
      }
      const type = MEDIA_TYPES[extname(file)] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, 'content-length': size });
      await pipeline(createReadStream(file), response);
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
