import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCpuDevice, type Device, OutOfMemoryError } from '@xlstm/device';
import { TransferError, type TransferProgress } from '@xlstm/loaders';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fromPretrained } from './from-pretrained.ts';
import { STORIES_COMMIT, serveStories } from './testing/stories-hub.ts';

describe('fromPretrained with a hub id', () => {
  const { server, weightBytes, answered } = serveStories();
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
    Object.defineProperty(device, 'maxBufferBytes', { value: 20_000 });
    const loading = fromPretrained('ACME/stories', { device, cacheDir, token: false });
    await expect(loading).rejects.toThrow(OutOfMemoryError);
    await expect(fromPretrained('ACME/stories', { device, cacheDir, token: false })).rejects.toThrow(
      /the memory of a block, 4 heads of 32 x 64 in float32, needs 33296 bytes in one piece, CPU binds at most 20000/,
    );
    expect(weightBytes()).toBeLessThan(200_000);
  });

  it.each([
    [
      'can bind',
      'maxBufferBytes',
      20_000,
      /the memory of a block, 4 heads of 32 x 64 in float32, needs 33296 bytes in one piece, CPU binds at most 20000/,
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
    expect(existsSync(join(cacheDir, 'models--ACME--stories', 'snapshots', STORIES_COMMIT, 'config.json'))).toBe(true);
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
