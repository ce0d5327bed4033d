import { createWebGpuDevice, type Device } from '@xlstm/device';
import type { XLSTMLarge } from '@xlstm/xlstm-large';
import type { KernelSpec } from '@xlstm-tooling/kernel-harness';
import {
  type DeviceFacts,
  describeDevice,
  gpuOfPage,
  type LossFacts,
  lendOwnDevice,
  loseDevice,
  type OwnDeviceFacts,
} from './devices.ts';
import { type KernelOutcome, runSpec } from './kernels.ts';
import { greedyIds, type SmallStoryFacts, type StoryFacts, tellSmallStory, tellStory } from './models.ts';

/** What the generated entry hands in. */
export interface PageParts {
  specs: readonly { path: string; spec: KernelSpec }[];
  randomModel: (device: Device) => Promise<XLSTMLarge>;
  random: { promptIds: readonly number[]; maxNewTokens: number };
  story: { urls: readonly string[]; prompt: string; maxNewTokens: number };
}

/** What the page tells by name: `adapter` first, then these and each kernel by its spec's path. */
export interface PageFacts {
  /** Whether the browser has an adapter at all, asked without this project's code. */
  adapter: { there: boolean };
  device: DeviceFacts;
  'own device': OwnDeviceFacts;
  'device loss': LossFacts;
  'random model': { ids: readonly number[] };
  story: StoryFacts;
  'story within default limits': SmallStoryFacts;
  [specPath: `${string}/spec.ts`]: KernelOutcome;
}

/** One thing the page found out, or why it could not. `ms` is how long it took. */
export type PageReport = { name: string; ms: number } & ({ value: PageFacts[keyof PageFacts] } | { error: string });

type Report = (report: PageReport) => Promise<void>;

async function attempt<Name extends keyof PageFacts>(
  report: Report,
  name: Name,
  work: () => Promise<PageFacts[Name]>,
): Promise<boolean> {
  const start = performance.now();
  const elapsed = (): number => Math.round(performance.now() - start);
  try {
    const value = await work();
    await report({ name, ms: elapsed(), value });
    return true;
  } catch (error) {
    await report({
      name,
      ms: elapsed(),
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return false;
  }
}

/** Runs everything in order. Without an adapter or a device, it ends after saying so. */
export async function runPage(parts: PageParts, report: Report): Promise<void> {
  const adapter = await gpuOfPage()?.requestAdapter();
  await attempt(report, 'adapter', async () => ({ there: adapter instanceof GPUAdapter }));
  if (!adapter) return;
  let device!: Awaited<ReturnType<typeof createWebGpuDevice>>;
  const opened = await attempt(report, 'device', async () => {
    device = await createWebGpuDevice();
    return describeDevice(device);
  });
  if (!opened) return;
  const specs = parts.specs.map(({ spec }) => spec);
  const slow = specs.find(({ kernel }) => kernel.id === 'rms_norm');
  await attempt(report, 'device loss', () => {
    if (!slow) throw new Error('no kernel is called rms_norm');
    return loseDevice(slow);
  });
  await attempt(report, 'own device', () => lendOwnDevice(specs));
  await attempt(report, 'random model', async () => {
    const model = await parts.randomModel(device);
    const { promptIds, maxNewTokens } = parts.random;
    const ids = await greedyIds(model, promptIds, maxNewTokens);
    model.dispose();
    return { ids };
  });
  const { urls, prompt, maxNewTokens } = parts.story;
  await attempt(report, 'story', () => tellStory(device, urls, prompt, maxNewTokens));
  await attempt(report, 'story within default limits', () => tellSmallStory(urls, prompt, maxNewTokens));
  for (const { path, spec } of parts.specs) {
    await attempt(report, path as `${string}/spec.ts`, () => runSpec(spec, device));
  }
  device.dispose();
}
