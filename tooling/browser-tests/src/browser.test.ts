import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createCpuDevice, type Device } from '@xlstm/device';
import type { XLSTMLarge } from '@xlstm/xlstm-large';
import { isRequired } from '@xlstm-tooling/kernel-harness';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { fromPretrained } from 'xlstm';
import { findChromium } from './find-chromium.ts';
import { greedyIds } from './page/models.ts';
import type { PageFacts, PageReport } from './page/run-page.ts';
import { findSpecs, pageEntry, RANDOM_MODEL } from './page-entry.ts';
import { runInChromium } from './run-in-chromium.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const MODELS = resolve(ROOT, 'apps/cli/models');
const expected = JSON.parse(readFileSync(resolve(MODELS, 'stories-expected.json'), 'utf8')) as {
  generation: { prompt: string; prompt_ids: number[]; greedy_ids: number[] }[];
};
const told = expected.generation[0]!;

const specs = findSpecs(ROOT);
const random = { promptIds: [0, 5, 9, 33], maxNewTokens: 24 };
const storyFiles = readdirSync(resolve(MODELS, 'stories'));
const urlOf = (file: string) => `/stories/${file}`;
const story = { urls: storyFiles.map(urlOf), prompt: told.prompt, maxNewTokens: 16 };

const absent = findChromium() ? undefined : 'no Chromium is on this machine; install one, or name it with CHROME_PATH';

/** The page runs once; each test waits for its own report. */
const reports = new Map<string, PageReport>();
const waiting = new Map<string, () => void>();
const stop = new AbortController();
let ended = false;
let failure: unknown;
let run: Promise<void> | undefined;

async function facts<Name extends keyof PageFacts>(name: Name): Promise<PageFacts[Name]> {
  while (!reports.has(name) && !ended) await new Promise<void>((done) => waiting.set(name, done));
  const report = reports.get(name);
  if (!report) throw new Error(`the page ended without a word about ${name}`, { cause: failure });
  if ('error' in report) throw new Error(`in the page: ${report.error}`);
  return report.value as PageFacts[Name];
}

function start(): void {
  run = runInChromium<PageReport>({
    entry: pageEntry(ROOT, specs, { random, story }),
    files: Object.fromEntries(storyFiles.map((file) => [urlOf(file), { path: resolve(MODELS, 'stories', file) }])),
    onResult: (report) => {
      reports.set(report.name, report);
      waiting.get(report.name)?.();
    },
    signal: stop.signal,
  })
    .catch((error: unknown) => {
      failure = error;
    })
    .finally(() => {
      ended = true;
      for (const wake of waiting.values()) wake();
    });
}

/** A Chromium that gives no adapter is an absent device: a visible skip, or a failure where webgpu is required. */
async function needAdapter(context: TestContext): Promise<void> {
  const { there } = await facts('adapter');
  if (there) return;
  const reason = 'this Chromium gives no WebGPU adapter, not even its software one';
  if (!isRequired('webgpu')) context.skip(reason);
  throw new Error(`device webgpu is required by XLSTM_REQUIRE_DEVICES, but: ${reason}`);
}

// Long enough for software adapters on a busy machine.
describe('WebGPU in Chromium', { timeout: 180_000 }, () => {
  if (absent) {
    if (isRequired('webgpu')) {
      it('is required here', () => {
        throw new Error(`device webgpu is required by XLSTM_REQUIRE_DEVICES, but: ${absent}`);
      });
    } else it.skip(`is not there: ${absent}`, () => {});
    return;
  }

  beforeAll(start);
  beforeEach(needAdapter);
  afterAll(async () => {
    stop.abort();
    await run;
  });

  it('gives a device, and says whether it is a software one', async () => {
    const device = await facts('device');
    expect(device.isSecureContext).toBe(true);
    expect(device.name).not.toBe('');
    expect(device.software).toBe(device.isFallbackAdapter || /swiftshader|llvmpipe/i.test(device.name));
    expect(device.auto, device.autoReason).toBe(device.software ? 'cpu' : 'webgpu');
    expect(device.refusesToggles).toBe(true);
  });

  it('turns the loss of a device into DeviceLostError everywhere', async () => {
    const loss = await facts('device loss');
    expect(Object.keys(loss).length).toBeGreaterThan(5);
    for (const [call, error] of Object.entries(loss)) expect(error, call).toBe('DeviceLostError');
  });

  it("computes on a caller's own GPUDevice of default limits, and leaves it alive", async () => {
    const own = await facts('own device');
    expect(own.failures).toEqual([]);
    expect(own.launches).toBeGreaterThan(10);
    expect(own.afterDispose).toEqual([3, 1, 4, 1]);
  });

  it('generates with a random model what the cpu device generates in Node', async () => {
    const path = resolve(ROOT, RANDOM_MODEL);
    const { randomModel } = (await import(pathToFileURL(path).href)) as {
      randomModel: (device: Device) => Promise<XLSTMLarge>;
    };
    const cpu = createCpuDevice();
    const model = await randomModel(cpu);
    const wanted = await greedyIds(model, random.promptIds, random.maxNewTokens);
    model.dispose();
    cpu.dispose();
    expect(new Set(wanted).size).toBeGreaterThan(3);
    expect((await facts('random model')).ids).toEqual(wanted);
  });

  it('tells the built-in story from files fetched as Blobs', async () => {
    const { promptIds, tokenIds, text, leftBuffers } = await facts('story');
    expect(promptIds).toEqual(told.prompt_ids);
    expect(tokenIds).toEqual(told.greedy_ids.slice(0, story.maxNewTokens));
    expect(text).not.toBe('');
    expect(leftBuffers).toBe(0);
  });

  it('tells it in fp32 and bf16 within the default limits, without a shader compiled while a token is waited for', async () => {
    const { maxBufferBytes, stories, blocking, ahead } = await facts('story within default limits');
    expect(maxBufferBytes).toBe(2 ** 27);
    for (const dtype of ['fp32', 'bf16'] as const) {
      expect(stories[dtype].tokenIds, dtype).toEqual(told.greedy_ids.slice(0, story.maxNewTokens));
      expect(stories[dtype].leftBuffers, dtype).toBe(0);
    }
    expect(ahead).toBeGreaterThan(10);
    expect(blocking).toBe(0);
  });

  it('tells it in q4 as the cpu device does in Node', async () => {
    const model = await fromPretrained(resolve(MODELS, 'stories'), { device: 'cpu', dtype: 'q4' });
    const wanted = await greedyIds(model.model, told.prompt_ids, story.maxNewTokens);
    await model.dispose();
    const { q4 } = (await facts('story within default limits')).stories;
    expect(q4.tokenIds).toEqual(wanted);
    expect(q4.leftBuffers).toBe(0);
  });

  it('finds the kernels', () => expect(specs.length).toBeGreaterThan(10));

  it.for(specs)('%s', async (path, context) => {
    const { variants, launches, failures, missing } = await facts(path as `${string}/spec.ts`);
    if (missing !== undefined) context.skip(`is not here: ${missing}`);
    expect(variants).not.toEqual([]);
    expect(launches).toBeGreaterThan(0);
    expect(failures).toEqual([]);
  });

  it('ends the page without an error', async () => {
    await run;
    expect(failure).toBeUndefined();
  });
});
