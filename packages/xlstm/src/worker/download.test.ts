import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { OptionError } from '@xlstm/device';
import type { TransferProgress } from '@xlstm/loaders';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { fromPretrained } from '../from-pretrained.ts';
import { serveStories } from '../testing/stories-hub.ts';
import { fromPretrained as fromPretrainedInWorker } from './index.ts';

/** What was heard, file by file, each count of bytes left out but the last: those depend on the network's moods. */
function byFile(events: readonly TransferProgress[]): Record<string, TransferProgress[]> {
  const files: Record<string, TransferProgress[]> = {};
  for (const event of events) {
    const file = 'file' in event ? event.file : 'none';
    files[file] ??= [];
    const heard = files[file];
    if (event.status === 'progress' && heard.at(-1)?.status === 'progress') heard.pop();
    heard.push(event);
  }
  return files;
}

describe('onDownload of a model in a worker', () => {
  const { server, slowDown } = serveStories();
  let cacheDir: string;
  let worker: Worker;
  beforeAll(async () => {
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    vi.stubEnv('HF_ENDPOINT', `http://127.0.0.1:${(server.address() as { port: number }).port}`);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    server.close();
  });
  beforeEach(() => {
    slowDown(Number.POSITIVE_INFINITY);
    cacheDir = mkdtempSync(join(tmpdir(), 'xlstm-hub-'));
    worker = new Worker(new URL('../../dist/worker/worker-entry.js', import.meta.url), { execArgv: [] });
  });
  afterEach(async () => {
    await worker.terminate();
    rmSync(cacheDir, { recursive: true, force: true });
  });
  const options = () => ({ device: 'cpu', cacheDir, token: false }) as const;

  it('hears the same objects as without a worker, some ten times a second', async () => {
    slowDown(65_536);
    const heard: { event: TransferProgress; at: number }[] = [];
    const model = await fromPretrainedInWorker('ACME/stories', {
      ...options(),
      worker,
      onDownload: (event) => heard.push({ event, at: performance.now() }),
    });
    const { text } = await model.generate('Once upon a time', { maxNewTokens: 4, temperature: 0 }).result();
    expect(text).toBe(' there lived a king');
    await model.dispose();
    rmSync(cacheDir, { recursive: true });
    const here: TransferProgress[] = [];
    const plain = await fromPretrained('ACME/stories', { ...options(), onDownload: (event) => here.push(event) });
    await plain.dispose();
    expect(byFile(heard.map(({ event }) => event))).toEqual(byFile(here));
    expect(heard.at(-1)!.event).toEqual({ status: 'ready', name: 'ACME/stories' });
    const counts = heard.filter(({ event }) => event.status === 'progress' && event.file.startsWith('model-00001'));
    const seconds = (counts.at(-1)!.at - counts[0]!.at) / 1000;
    expect(counts.length).toBeGreaterThan(3);
    // The first and the last one are not held back.
    expect(counts.length).toBeLessThan(10 * seconds + 3);
  });

  it.each(['initiate', 'progress', 'ready'] as const)(
    'ends with what it throws at "%s", as without',
    async (status) => {
      const thrown = { any: 'thing' };
      let calls = 0;
      const onDownload = (event: TransferProgress): void => {
        calls++;
        if (event.status === status) throw thrown;
      };
      await expect(fromPretrained('ACME/stories', { ...options(), onDownload })).rejects.toBe(thrown);
      rmSync(cacheDir, { recursive: true });
      const failing = fromPretrainedInWorker('ACME/stories', { ...options(), worker, onDownload });
      await expect(failing).rejects.toBe(thrown);
      const before = calls;
      // What had arrived waits in the cache, and the worker is free for the next model.
      const model = await fromPretrainedInWorker('ACME/stories', { ...options(), worker });
      await model.dispose();
      expect(calls).toBe(before);
    },
  );

  it.each([
    ['onDownload', { type: 'download', events: [{ status: 'ready', name: 'ACME/stories' }] }],
    ['onProgress', { type: 'progress', progress: { loadedTensors: 1, totalTensors: 1 } }],
  ])('ends with what %s throws, and without the model, though that is on its way already', async (name, news) => {
    // The engine's news and answer come together, too late for an abort: as they may, but rarely do, from the real one.
    const hasty = new Worker(
      `const { parentPort } = require('node:worker_threads');
      const facts = { device: {}, tokenizer: {} };
      const calls = [];
      parentPort.on('message', ({ id, call }) => {
        calls.push(call);
        if (call === 'load') parentPort.postMessage(${JSON.stringify(news)});
        parentPort.postMessage({ type: 'done', id, value: call === 'load' ? facts : undefined });
        if (call === 'dispose') parentPort.postMessage({ calls });
      });`,
      { eval: true, execArgv: [] },
    );
    const calls = new Promise((told) => hasty.on('message', (message) => 'calls' in message && told(message.calls)));
    const thrown = new Error('from the callback');
    const fail = (): never => {
      throw thrown;
    };
    await expect(fromPretrainedInWorker('x/y', { worker: hasty, [name]: fail })).rejects.toBe(thrown);
    expect(await calls).toEqual(['load', 'abortLoad', 'dispose']);
    await hasty.terminate();
  });

  it('hears nothing more after an abort', async () => {
    slowDown(65_536);
    const abort = new AbortController();
    const reason = new Error('changed my mind');
    let late = 0;
    const failing = fromPretrainedInWorker('ACME/stories', {
      ...options(),
      worker,
      signal: abort.signal,
      onDownload: ({ status }) => {
        if (abort.signal.aborted) late++;
        if (status === 'progress') abort.abort(reason);
      },
    });
    await expect(failing).rejects.toBe(reason);
    expect(late).toBe(0);
  });

  it('refuses what is no function, in the worker and without', async () => {
    const wrong = { ...options(), onDownload: 'loud' as never };
    await expect(fromPretrainedInWorker('ACME/stories', { ...wrong, worker })).rejects.toThrow(OptionError);
    await expect(fromPretrained('ACME/stories', wrong)).rejects.toThrow(OptionError);
  });
});
