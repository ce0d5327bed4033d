import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findChromium } from './find-chromium.ts';
import { type ChromiumRun, runInChromium } from './run-in-chromium.ts';

const STORIES = resolve(import.meta.dirname, '../../../apps/cli/models/stories');
const names = readdirSync(STORIES);
const at = (path: string): string => JSON.stringify(resolve(import.meta.dirname, path));

/** What came of asking for a device: an error, or where the model is and what it says. */
interface Outcome {
  error?: { name: string; isDeviceError: boolean; message: string };
  device?: string;
  reason?: string;
  text?: string;
}

type Lack = Pick<ChromiumRun<Outcome>, 'adapter' | 'origin'>;

async function askFor(lack: Lack, from: 'xlstm' | 'xlstm/worker'): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  await runInChromium<Outcome>({
    entry: `
      import { DeviceError } from '@xlstm/device';
      import { fromPretrained } from ${JSON.stringify(from)};
      import { fetchFiles } from ${at('page/stories-files.ts')};
      export default async (report) => {
        const files = await fetchFiles(${JSON.stringify(names.map((name) => `/stories/${name}`))});
        for (const device of ['webgpu', 'auto']) {
          const worker = ${from === 'xlstm' ? '{}' : "{ worker: new Worker('/worker-entry.js', { type: 'module' }) }"};
          try {
            const model = await fromPretrained(files, { device, ...worker });
            const { text } = await model.generate('Once upon a time', { maxNewTokens: 4, temperature: 0 }).result();
            await report({ device: model.device.kind, reason: model.deviceReason, text });
            await model.dispose();
          } catch (error) {
            const { name, message } = error;
            await report({ error: { name, message, isDeviceError: error instanceof DeviceError } });
          }
        }
      };`,
    files: Object.fromEntries(names.map((name) => [`/stories/${name}`, { path: resolve(STORIES, name) }])),
    workers: { '/worker-entry.js': 'xlstm/worker-entry' },
    ...lack,
    onResult: (outcome) => outcomes.push(outcome),
  });
  return outcomes;
}

describe.skipIf(!findChromium())('a page without WebGPU (skipped without Chromium)', { timeout: 120_000 }, () => {
  const NO_ADAPTER = /no adapter: .*turn on hardware acceleration.*or use device cpu$/;
  const NOT_SECURE = /secure contexts only, and this page is not one; serve it over https.*or use device cpu$/;
  it.each([
    ['no adapter', 'xlstm', { adapter: 'none' }, NO_ADAPTER],
    ['no adapter', 'xlstm/worker', { adapter: 'none' }, NO_ADAPTER],
    ['no secure context', 'xlstm', { origin: 'insecure' }, NOT_SECURE],
    ['no secure context', 'xlstm/worker', { origin: 'insecure' }, NOT_SECURE],
  ] as const)(
    '(%s, %s) says so where it is asked for, and computes on the cpu by itself',
    async (_, from, lack, why) => {
      const [named, auto] = await askFor(lack, from);
      expect(named).toEqual({
        error: { name: 'DeviceError', isDeviceError: true, message: expect.stringMatching(why) },
      });
      expect(auto).toEqual({
        device: 'cpu',
        reason: expect.stringMatching(/^cpu, because webgpu was passed over: /),
        text: ' there lived a king',
      });
      expect(auto!.reason).toMatch(why);
    },
  );
});
