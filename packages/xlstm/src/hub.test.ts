import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createCpuDevice, type Device, OutOfMemoryError } from '@xlstm/device';
import { TransferError, type TransferProgress } from '@xlstm/loaders';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fromPretrained } from './from-pretrained.ts';

const STORIES = resolve(import.meta.dirname, '../../../apps/cli/models/stories');
const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** As much of the hub's interface as a download needs: the list of files, and the files by ranges. */
function serveHub(): { server: Server; weightBytes: () => number; answered: (busy: boolean) => number } {
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
      response.end(JSON.stringify({ id: 'ACME/stories', sha: COMMIT, siblings }));
      return;
    }
    const name = /^\/(?:ACME\/stories\/resolve\/[^/]+|plain)\/(.+)$/.exec(path)?.[1];
    if (!name || !files.includes(name)) {
      response.writeHead(404).end();
      return;
    }
    const bytes = readFileSync(join(STORIES, name));
    response.setHeader('etag', `"${name}-1"`);
    response.setHeader('x-repo-commit', COMMIT);
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
      response.end(bytes.subarray(start, end + 1));
    }
  });
  const answered = (busy: boolean): number => {
    isBusy = busy;
    return requests;
  };
  return { server, weightBytes: () => sent, answered };
}

describe('fromPretrained with a hub id', () => {
  const { server, weightBytes, answered } = serveHub();
  const cacheDir = mkdtempSync(join(tmpdir(), 'xlstm-hub-'));
  beforeAll(async () => {
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    vi.stubEnv('HF_ENDPOINT', `http://127.0.0.1:${(server.address() as { port: number }).port}`);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    server.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  it('refuses a model that the device cannot bind before its weights are fetched', async () => {
    const device: Device = createCpuDevice();
    Object.defineProperty(device, 'maxBufferBytes', { value: 1_000_000 });
    const loading = fromPretrained('ACME/stories', { device, cacheDir, token: false });
    await expect(loading).rejects.toThrow(OutOfMemoryError);
    await expect(fromPretrained('ACME/stories', { device, cacheDir, token: false })).rejects.toThrow(
      /embedding \[4096,256\] needs 2097152 bytes in bf16, CPU binds at most 1000000/,
    );
    expect(weightBytes()).toBeLessThan(200_000);
  });

  it.each([
    [
      'can bind',
      'maxBufferBytes',
      1_000_000,
      /embedding \[4096,256\] needs 4194304 bytes in fp32, CPU binds at most 1000000/,
    ],
    [
      'can hold',
      'memoryBytes',
      140_000_000,
      /needs \d+ bytes in fp32 \(weights \d+, a state \d+, .* has 140000000 in all/,
    ],
  ])('refuses one at a plain address that is more than the device %s', async (_, limit, value, message) => {
    const device: Device = createCpuDevice();
    Object.defineProperty(device, limit, { value });
    const before = weightBytes();
    const loading = fromPretrained(`${process.env.HF_ENDPOINT}/plain`, { device, dtype: 'fp32' });
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toThrow(OutOfMemoryError);
    expect(weightBytes() - before).toBeLessThan(200_000);
  });

  it('fetches it once, tells how it goes, and then needs no network', async () => {
    const events: TransferProgress[] = [];
    const options = {
      device: 'cpu',
      cacheDir,
      token: false,
      onDownload: (event: TransferProgress) => events.push(event),
    } as const;
    const model = await fromPretrained('ACME/stories', options);
    const { text } = await model.generate('Once upon a time', { maxNewTokens: 4, temperature: 0 }).result();
    expect(text).toBe(' there lived a king');
    await model.dispose();
    expect(events.map(({ status }) => status)).toEqual(
      expect.arrayContaining(['download', 'progress', 'done', 'ready']),
    );
    expect(existsSync(join(cacheDir, 'models--ACME--stories', 'snapshots', COMMIT, 'config.json'))).toBe(true);
    const fetched = weightBytes();
    const again = await fromPretrained('ACME/stories', { device: 'cpu', cacheDir, offline: true });
    await again.dispose();
    expect(weightBytes()).toBe(fetched);
  });

  it('takes what is kept when the hub does not answer, and asks only once', async () => {
    const before = answered(true);
    try {
      const model = await fromPretrained('ACME/stories', { device: 'cpu', cacheDir, token: false });
      await model.dispose();
      const missing = fromPretrained('ACME/other', { device: 'cpu', cacheDir, token: false });
      await expect(missing).rejects.toMatchObject({ name: 'TransferError', code: 'busy' });
    } finally {
      expect(answered(false) - before).toBe(2);
    }
  });

  it('says what is wrong with an id that is not there, and offline without a cache', async () => {
    await expect(fromPretrained('ACME/nothing', { device: 'cpu', cacheDir, token: false })).rejects.toThrow(
      TransferError,
    );
    await expect(fromPretrained('ACME/other', { device: 'cpu', cacheDir, offline: true })).rejects.toThrow(
      /ACME\/other/,
    );
  });
});
