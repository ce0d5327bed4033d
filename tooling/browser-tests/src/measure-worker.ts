// Measures what a worker costs: `node tooling/browser-tests/dist/measure-worker.js` from the repository's root, after a
// build. One JSON line for each device, in threads of Node and in workers of a headless Chromium.
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createWebGpuDevice, type DeviceKind } from '@xlstm/device';
import { offerSoftwareAdapter } from '@xlstm-tooling/kernel-harness';
import { findChromium } from './find-chromium.ts';
import { measureWorkerCost, type WorkerCost } from './page/worker-cost.ts';
import { runInChromium } from './run-in-chromium.ts';

const STORIES = resolve(import.meta.dirname, '../../../apps/cli/models/stories');
const PAGE = resolve(import.meta.dirname, '../src/page');
const [tokens = 40, rounds = 30] = process.argv.slice(2).map(Number);

/** Software adapters are slow; their tokens are too. */
const sizes = { cpu: { tokens, rounds }, webgpu: { tokens: Math.ceil(tokens / 4), rounds: Math.ceil(rounds / 2) } };

function print(where: string, cost: WorkerCost): void {
  process.stdout.write(`${JSON.stringify({ where, ...cost })}\n`);
}

async function measureInNode(): Promise<void> {
  offerSoftwareAdapter();
  const kinds: DeviceKind[] = ['cpu'];
  await createWebGpuDevice().then(
    (device) => {
      kinds.push('webgpu');
      device.dispose();
    },
    (error: Error) => process.stderr.write(`no webgpu in Node: ${error.message}\n`),
  );
  for (const kind of kinds) print('node', await measureWorkerCost(STORIES, kind, sizes[kind]));
}

async function measureInChromium(): Promise<void> {
  const names = readdirSync(STORIES);
  await runInChromium<WorkerCost>({
    entry: `
      import { measureWorkerCost } from ${JSON.stringify(join(PAGE, 'worker-cost.ts'))};
      import { fetchFiles } from ${JSON.stringify(join(PAGE, 'stories-files.ts'))};
      export default async (report) => {
        const files = await fetchFiles(${JSON.stringify(names.map((name) => `/stories/${name}`))});
        const sizes = ${JSON.stringify(sizes)};
        const kinds = (await navigator.gpu?.requestAdapter()) ? ['cpu', 'webgpu'] : ['cpu'];
        for (const kind of kinds) await report(await measureWorkerCost(files, kind, sizes[kind]));
      };`,
    files: Object.fromEntries(names.map((name) => [`/stories/${name}`, { path: join(STORIES, name) }])),
    workers: { '/worker-entry.js': 'xlstm/worker-entry' },
    onResult: (cost) => print('chromium', cost),
  });
}

await measureInNode();
if (findChromium()) await measureInChromium();
else process.stderr.write('no Chromium is on this machine\n');
