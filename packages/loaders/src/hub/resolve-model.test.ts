import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OptionError } from '@xlstm/device';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openCheckpoint } from '../checkpoint/open-checkpoint.ts';
import { loadTensor } from '../tensor-stream/stream-tensor.ts';
import { blobName, COMMIT, HubServer } from '../testing/hub-server.ts';
import { NEEDED, tinyRepository } from '../testing/tiny-repository.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { clearCache, isCached } from './manage-cache.ts';
import type { TransferProgress } from './progress.ts';
import { type ResolveModelOptions, resolveModel } from './resolve-model.ts';

let server: HubServer;
let cacheDir: string;
beforeEach(async () => {
  server = await new HubServer(tinyRepository()).start();
  cacheDir = await mkdtemp(join(tmpdir(), 'xlstm-hub-'));
  for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE', 'HF_HUB_CACHE', 'HF_ENDPOINT']) vi.stubEnv(name, '');
  vi.stubEnv('HF_HOME', join(cacheDir, 'home'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.stop();
  await rm(cacheDir, { recursive: true });
});

const retry = { baseDelayMs: 1, maxDelayMs: 3, retries: 3, idleTimeoutMs: 2000 };
const resolve = (options: ResolveModelOptions = {}) =>
  resolveModel(server.id, { endpoint: server.endpoint, cacheDir, retry, ...options });
const model = (...parts: string[]): string => join(cacheDir, 'models--ACME--tiny-xlstm', ...parts);
const shard = NEEDED[2]!;
const blobOf = (name: string): string => model('blobs', blobName(server.files.get(name)!));
const code = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => expect.fail('should have failed'),
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(TransferError);
  return (error as TransferError).code;
};

describe('resolveModel from the hub', () => {
  it('downloads what a checkpoint needs, in the layout of Python, and opens it', async () => {
    const events: TransferProgress[] = [];
    const files = await resolve({ onProgress: (event) => events.push(event) });
    expect(files.commit).toBe(COMMIT);
    expect([...files.names].sort()).toEqual(NEEDED);
    await using checkpoint = await openCheckpoint(files);
    expect((await loadTensor(checkpoint.tensors.get('b')!, 'fp32'))[1]).toBeCloseTo(Math.sin(1) * 20_001);
    expect(await readFile(model('refs/main'), 'utf8')).toBe(COMMIT);
    expect((await readdir(model('snapshots', COMMIT))).sort()).toEqual(NEEDED);
    for (const name of NEEDED) {
      const blob = blobName(server.files.get(name)!);
      expect(await readlink(model('snapshots', COMMIT, name))).toBe(`../../blobs/${blob}`);
      expect(new Uint8Array(await readFile(model('blobs', blob)))).toEqual(server.files.get(name)!.bytes);
    }
    expect(await readdir(model('blobs'))).toHaveLength(NEEDED.length);
    expect(await readdir(join(cacheDir, '.locks/models--ACME--tiny-xlstm'))).toEqual([]);
    const ofShard = events.filter((event) => 'file' in event && event.file === shard);
    expect(ofShard.slice(0, 2).map(({ status }) => status)).toEqual(['initiate', 'download']);
    const size = server.files.get(shard)!.bytes.byteLength;
    expect(ofShard.at(-2)).toMatchObject({ status: 'progress', loaded: size, total: size, progress: 100 });
    expect(ofShard.at(-1)!.status).toBe('done');
    expect(events.at(-1)).toEqual({ status: 'ready', name: server.id });
  });

  it('asks for nothing twice, and heals what was truncated, removed or linked wrongly', async () => {
    await resolve();
    server.log.length = 0;
    await resolve();
    expect(server.log.map(({ path }) => path)).toEqual([`/api/models/${server.id}/revision/main`]);
    await truncate(blobOf(shard), 100);
    await rm(blobOf('config.json'));
    await rm(model('snapshots', COMMIT, 'tokenizer.json'));
    const files = await resolve();
    await (await openCheckpoint(files)).close();
    for (const name of NEEDED) {
      expect(new Uint8Array(await readFile(model('snapshots', COMMIT, name)))).toEqual(server.files.get(name)!.bytes);
    }
  });

  it('finds damage of the same size when asked to hash', async () => {
    await resolve();
    const { bytes } = server.files.get(shard)!;
    await writeFile(blobOf(shard), new Uint8Array(bytes.byteLength));
    await resolve({ verify: 'hash' });
    expect(new Uint8Array(await readFile(blobOf(shard)))).toEqual(bytes);
  });

  it('takes hashes from headers where a listing has none', async () => {
    server.listsBlobs = false;
    await resolve();
    expect((await stat(blobOf(shard))).size).toBe(server.files.get(shard)!.bytes.byteLength);
  });

  it('sends the token to the hub and not where that redirects', async () => {
    server.token = 'hf_secret';
    await resolve({ token: 'hf_secret' });
    expect(server.log.some(({ origin }) => origin === 'storage')).toBe(true);
    for (const { origin, authorization } of server.log) {
      expect(authorization).toBe(origin === 'hub' ? 'Bearer hf_secret' : undefined);
    }
  });

  it('reads endpoint, token file and cache folder from the environment', async () => {
    server.token = 'hf_from_file';
    vi.stubEnv('HF_ENDPOINT', `${server.endpoint}/`);
    await mkdir(join(cacheDir, 'home'));
    await writeFile(join(cacheDir, 'home/token'), 'hf_from_file\n');
    await resolveModel(server.id, { revision: 'v1.0', retry });
    expect(await readFile(join(cacheDir, 'home/hub/models--ACME--tiny-xlstm/refs/v1.0'), 'utf8')).toBe(COMMIT);
  });

  it('takes a page of the hub for the model it shows', async () => {
    const files = await resolveModel(`${server.endpoint}/${server.id}/tree/v1.0`, {
      endpoint: server.endpoint,
      cacheDir,
      retry,
    });
    expect(files.id).toBe(server.id);
    expect(await readdir(model('refs'))).toEqual(['v1.0']);
  });

  it('reads over the network with download: false, and writes nothing', async () => {
    const files = await resolve({ download: false });
    await using checkpoint = await openCheckpoint(files);
    expect(checkpoint.tensors.get('a')!.shape).toEqual([30_000]);
    expect(await readdir(cacheDir)).toEqual([]);
    const source = await files.open(shard);
    expect(source.bytesRead).toBeLessThan(200);
    expect(source.size).toBe(server.files.get(shard)!.bytes.byteLength);
    expect(await loadTensor(checkpoint.tensors.get('b')!, 'fp32')).toHaveLength(20_001);
  });

  it('reads a plain web folder by ranges', async () => {
    const files = await resolveModel(`${server.storage}/`, { endpoint: server.endpoint, cacheDir, retry });
    await using checkpoint = await openCheckpoint(files);
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
    expect(await code(resolveModel(`${server.storage}/no/where`, { endpoint: server.endpoint, retry }))).toBe(
      'not-found',
    );
  });

  it('gives a folder as it is', async () => {
    await resolve();
    const files = await resolveModel(model('snapshots', COMMIT));
    expect(files.id).toBeUndefined();
    await (await openCheckpoint(files)).close();
    await expect(resolveModel('./no/such/folder')).rejects.toThrow(/no\/such\/folder/);
  });
});

describe('resolveModel, cut and resumed', () => {
  it('keeps what came before an abort and asks only for the rest', async () => {
    const controller = new AbortController();
    server.pauseMs = 2;
    const reason = new Error('stop');
    const failing = resolve({
      signal: controller.signal,
      onProgress: (event) => {
        if (event.status === 'progress' && event.file === shard && event.loaded > 5000) controller.abort(reason);
      },
    });
    await expect(failing).rejects.toBe(reason);
    expect(await readdir(model('snapshots', COMMIT))).not.toContain(shard);
    const partial = (await stat(`${blobOf(shard)}.xlstm.incomplete`)).size;
    expect(partial).toBeGreaterThan(5000);
    expect(partial).toBeLessThan(server.files.get(shard)!.bytes.byteLength);
    expect(await isCached(server.id, { cacheDir })).toBe(false);
    expect(await readdir(join(cacheDir, '.locks/models--ACME--tiny-xlstm'))).toEqual([]);
    server.pauseMs = 0;
    server.log.length = 0;
    await resolve();
    const asked = server.log.filter(({ path }) => path.endsWith(shard)).map(({ range }) => range);
    expect(new Set(asked)).toEqual(new Set([`bytes=${partial}-`]));
    expect(await isCached(server.id, { cacheDir })).toBe(true);
    expect((await readdir(model('blobs'))).filter((name) => name.includes('incomplete'))).toEqual([]);
  });

  it('ends when the abort comes with the last byte', async () => {
    const controller = new AbortController();
    const onProgress = (event: TransferProgress): void => {
      if (event.status === 'progress' && event.file === shard && event.progress === 100) controller.abort();
    };
    await expect(resolve({ signal: controller.signal, onProgress })).rejects.toThrow(/abort/);
    await resolve();
  });

  it('does not download twice when two ask at once', async () => {
    server.pauseMs = 1;
    await Promise.all([resolve(), resolve(), resolve()]);
    const asked = server.log.filter(({ path, origin }) => path.endsWith(shard) && origin === 'storage');
    expect(asked).toHaveLength(1);
  });

  it('throws away a begun download that belongs to other bytes', async () => {
    await resolve();
    await rm(blobOf(shard));
    await writeFile(`${blobOf(shard)}.xlstm.incomplete`, new Uint8Array(50_000));
    await resolve();
    expect(new Uint8Array(await readFile(blobOf(shard)))).toEqual(server.files.get(shard)!.bytes);
  });

  it('goes on after a lock whose holder is dead', async () => {
    await resolve();
    await rm(blobOf(shard));
    const lock = join(cacheDir, '.locks/models--ACME--tiny-xlstm', `${blobName(server.files.get(shard)!)}.xlstm.lock`);
    await writeFile(lock, JSON.stringify({ host: hostname(), pid: 2 ** 30, id: 'x' }));
    await resolve();
    expect(await readdir(join(cacheDir, '.locks/models--ACME--tiny-xlstm'))).toEqual([]);
  });
});

describe('resolveModel, refused', () => {
  it('tells an unknown id, a wrong revision, a gated model and a wrong token apart', async () => {
    expect(await code(resolveModel('ACME/none', { endpoint: server.endpoint, cacheDir, retry }))).toBe('not-found');
    expect(await code(resolve({ revision: 'v9' }))).toBe('revision-not-found');
    await expect(resolve({ revision: 'v9' })).rejects.toThrow(/has no revision v9/);
    server.token = 'right';
    expect(await code(resolve())).toBe('not-found');
    server.gated = true;
    expect(await code(resolve())).toBe('gated');
    await expect(resolve()).rejects.toThrow(
      /accept its terms at .*tiny-xlstm first; then pass a token, or set HF_TOKEN/,
    );
    await expect(resolve({ token: 'wrong' })).rejects.toThrow(
      /tiny-xlstm first; the token that was sent does not allow it/,
    );
    expect(await readdir(cacheDir)).toEqual([]);
  });

  it.each(['../up', 'a/b/c', 'a--b/c', 'org/..', 'org/na me', '-x', 'a/'])('refuses the id %j', async (id) => {
    await expect(resolveModel(id, { endpoint: server.endpoint })).rejects.toThrow();
    expect(server.log).toEqual([]);
  });

  it('refuses options that cannot be', async () => {
    await expect(resolve({ revision: '../x' })).rejects.toThrow(OptionError);
    await expect(resolve({ endpoint: 'ftp://x' })).rejects.toThrow(OptionError);
    await expect(resolve({ token: 'two words' })).rejects.toThrow(OptionError);
    await expect(resolve({ verify: 'yes' as 'hash' })).rejects.toThrow(OptionError);
    await expect(resolve({ retry: { retries: -1 } })).rejects.toThrow(OptionError);
  });

  it('works offline from the cache, and else names what is missing', async () => {
    await expect(resolve({ offline: true })).rejects.toThrow(/lacks config.json, model.safetensors of ACME/);
    await resolve();
    server.log.length = 0;
    vi.stubEnv('HF_HUB_OFFLINE', 'yes');
    const files = await resolve();
    expect([...files.names].sort()).toEqual(NEEDED);
    expect(files.fromCacheBecause).toMatch(/offline/);
    await (await openCheckpoint(files)).close();
    await (await openCheckpoint(await resolve({ revision: COMMIT }))).close();
    await rm(blobOf(shard));
    await expect(resolve()).rejects.toThrow(new RegExp(`lacks ${shard} of`));
    expect(await code(resolve({ revision: 'v1.0' }))).toBe('offline');
    expect(server.log).toEqual([]);
  });

  it('takes the cache when the hub does not answer', async () => {
    await resolve();
    server.mischief = () => ({ kind: 'status', status: 503 });
    const files = await resolve();
    expect(files.fromCacheBecause).toMatch(/answered 503/);
    expect((await resolve({ download: false })).fromCacheBecause).toMatch(/answered 503/);
    await clearCache(server.id, { cacheDir });
    expect(await code(resolve())).toBe('network');
  });

  it.each([
    ['is down', false, /gave up after a try .*ECONNREFUSED/],
    ['is silent', true, /gave up after a try .*nothing came for 3000 ms/],
  ])('does not wait long for a hub that %s where the cache is whole', async (_, listens, why) => {
    await resolve();
    const silent = createServer(() => {});
    await new Promise<void>((ready) => silent.listen(0, '127.0.0.1', ready));
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const close = (): Promise<unknown> => new Promise((closed) => silent.close(closed).closeAllConnections());
    if (!listens) await close();
    const begin = performance.now();
    const files = await resolve({ endpoint, retry: undefined });
    expect(performance.now() - begin).toBeLessThan(listens ? 6000 : 2000);
    expect(files.fromCacheBecause).toMatch(why);
    await (await openCheckpoint(files)).close();
    if (listens) await close();
  });

  it('asks the hub as often as told to, and as ever where a file is missing', async () => {
    await resolve();
    server.log.length = 0;
    let busy = 2;
    server.mischief = ({ path }) =>
      path.startsWith('/api') && busy-- > 0 ? { kind: 'status', status: 503 } : undefined;
    expect((await resolve({ retry: {} })).fromCacheBecause).toMatch(/gave up after a try .* answered 503/);
    expect(server.log).toHaveLength(1);
    busy = 2;
    expect((await resolve()).fromCacheBecause).toBeUndefined();
    await rm(blobOf(shard));
    busy = 1;
    const files = await resolve({ retry: { baseDelayMs: 1 } });
    expect(files.fromCacheBecause).toBeUndefined();
    expect((await stat(blobOf(shard))).size).toBe(server.files.get(shard)!.bytes.byteLength);
  });

  it('heals a damaged index though the cache cannot be read with it', async () => {
    await resolve();
    const indexed = [...server.files.keys()].find((name) => name.endsWith('.index.json'))!;
    await truncate(blobOf(indexed), 5);
    await (await openCheckpoint(await resolve({ retry: undefined }))).close();
  });

  it('does not wait longer than allowed', async () => {
    server.mischief = () => ({ kind: 'status', status: 429, retryAfter: '3600' });
    expect(await code(resolve())).toBe('busy');
    await expect(resolve()).rejects.toThrow(/asks to wait 3600 s/);
  });

  it.skipIf(process.platform === 'win32')('names a cache that may not be written', async () => {
    // Nobody may make folders in sysfs, root included.
    const error = resolve({ cacheDir: process.platform === 'linux' ? '/sys/xlstm-cache' : '/dev/xlstm-cache' });
    await expect(error).rejects.toThrow(/xlstm-cache may not be written|xlstm-cache failed/);
    await writeFile(join(cacheDir, 'file'), '');
    expect(await code(resolve({ cacheDir: join(cacheDir, 'file') }))).toBe('cache');
  });

  it.skipIf(process.platform !== 'linux')('names the folder when the disk is full', async () => {
    await resolve();
    await rm(blobOf(shard));
    await symlink('/dev/full', `${blobOf(shard)}.xlstm.incomplete`);
    const failing = resolve();
    expect(await code(failing)).toBe('disk-full');
    await expect(failing).rejects.toThrow(cacheDir);
    await expect(stat(blobOf(shard))).rejects.toThrow();
  });

  it('asks for room before the first byte', async () => {
    const files = server.files as Map<string, { bytes: Uint8Array; large: boolean }>;
    const huge = { bytes: new Uint8Array(10), large: true };
    Object.defineProperty(huge.bytes, 'byteLength', { value: 2 ** 52 });
    files.set(shard, huge);
    const failing = resolve();
    await expect(failing).rejects.toThrow(/bytes are still to be downloaded to .* which has \d+ free/);
    expect(await code(failing)).toBe('disk-full');
    expect(server.log.some(({ path }) => path.endsWith(shard))).toBe(false);
  });

  it('clears a model, and only a named one', async () => {
    await resolve();
    await clearCache(server.id, { cacheDir });
    expect(await isCached(server.id, { cacheDir })).toBe(false);
    expect(await readdir(cacheDir)).toEqual(['.locks']);
    await expect(clearCache()).rejects.toThrow(OptionError);
  });
});
