import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isRequired } from '@xlstm-tooling/kernel-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromPretrained, type XlstmModel } from 'xlstm';
import { findChromium } from './find-chromium.ts';
import type { WorkerFacts, WorkerSettings } from './page/worker.ts';
import { runInChromium } from './run-in-chromium.ts';
import type { ServedFile } from './serve-files.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const STORIES = resolve(ROOT, 'apps/cli/models/stories');
const told = (
  JSON.parse(readFileSync(resolve(ROOT, 'apps/cli/models/stories-expected.json'), 'utf8')) as {
    generation: { prompt: string; greedy_ids: number[] }[];
  }
).generation[0]!;
const workers = { '/worker-entry.js': 'xlstm/worker-entry' };
const names = readdirSync(STORIES);
const files: Record<string, ServedFile> = Object.fromEntries(
  names.map((name) => [`/stories/${name}`, { path: resolve(STORIES, name) }]),
);
const at = (path: string): string => JSON.stringify(resolve(import.meta.dirname, path));

describe.skipIf(!findChromium())('a worker in Chromium (skipped where there is none)', { timeout: 300_000 }, () => {
  let model: XlstmModel;
  let saved: Uint8Array;
  const GO_ON = ' In the morning';
  const N = 16;
  const goOn = async (bytes: Uint8Array, prompt: string) => {
    const state = model.importState(bytes);
    const options = { state, maxNewTokens: N, temperature: 0, eosTokenIds: [] };
    const { tokenIds } = await model.generate(prompt, options).result();
    state.dispose();
    return { tokenIds, position: state.position };
  };
  beforeAll(async () => {
    model = await fromPretrained(STORIES, { device: 'cpu' });
    const state = model.createState();
    await model.generate(told.prompt, { state, maxNewTokens: 5, temperature: 0 }).result();
    saved = await model.exportState(state);
  });
  afterAll(() => model.dispose());

  it.for(['cpu', 'webgpu'] as const)('is the same engine on %s, while the page stays free', async (device, context) => {
    const folder = mkdtempSync(join(tmpdir(), 'xlstm-state-'));
    const path = join(folder, 'node.state');
    writeFileSync(path, saved);
    const settings: WorkerSettings = {
      urls: Object.keys(files),
      prompt: told.prompt,
      maxNewTokens: N,
      state: { url: '/node.state', prompt: GO_ON },
    };
    let facts: WorkerFacts | undefined | null;
    try {
      await runInChromium<WorkerFacts | null>({
        entry: `
          import { workerFacts } from ${at('page/worker.ts')};
          export default async (report) => {
            const there = ${JSON.stringify(device)} === 'cpu' || (await navigator.gpu?.requestAdapter());
            await report(there ? await workerFacts(${JSON.stringify(settings)}, ${JSON.stringify(device)}) : null);
          };`,
        files: { ...files, '/node.state': { path } },
        workers,
        onResult: (result) => {
          facts = result;
        },
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
    if (facts === null) {
      if (isRequired('webgpu')) throw new Error('webgpu is required, but this Chromium gives no adapter');
      context.skip('this Chromium gives no WebGPU adapter');
    }
    const { longestGap, longTasks } = facts!.page;
    console.info(`${device} (${facts!.device}): longest gap of a 10 ms timer ${longestGap.toFixed(0)} ms`);
    expect(facts!.busyPage.longTasks.length).toBeGreaterThan(0);
    expect(longTasks).toEqual([]);
    expect(facts!.worker).toEqual(told.greedy_ids.slice(0, N));
    expect(facts!.here).toEqual(facts!.worker);
    expect(facts!.chunks.length).toBeGreaterThan(N);
    expect(facts!.chunks.join('')).toBe(facts!.text);

    const [batch, inWorker] = facts!.batches;
    expect(batch![0]).toEqual(told.greedy_ids.slice(0, 5));
    expect(batch![1]).toHaveLength(2);
    expect(inWorker).toEqual(batch);

    expect(facts!.position).toBeGreaterThan(5);
    const wanted = await goOn(saved, GO_ON);
    expect(facts!.goneOn).toEqual([wanted.tokenIds, wanted.tokenIds]);
    const here = model.importState(saved);
    await model.generate(GO_ON, { state: here, maxNewTokens: N, temperature: 0, eosTokenIds: [] }).result();
    const further = await goOn(await model.exportState(here), ' and');
    for (const bytes of facts!.states) expect(await goOn(Uint8Array.from(bytes), ' and')).toEqual(further);
    here.dispose();

    expect(facts!.liveBuffers[1]).toBe(facts!.liveBuffers[0]);
    expect(facts!.reasonKept).toBe(true);
    expect(facts!.errors).toEqual({
      'unknown option': 'OptionError',
      'option out of range': 'OptionError',
      'damaged state': 'StateError',
      'disposed state': 'DisposedError',
      'disposed model': 'DisposedError',
      'no script': 'DeviceLostError',
    });
  });
});
