import { defineSpec, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { sampleKernel } from './index.ts';
import { type RowSettings, SETTINGS_WORDS, writeSettings } from './settings.ts';
import type { bindings, params } from './signature.ts';

interface Options {
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  /** Deviation of the logits. */
  scale?: number;
  /** Overwrites the beginning of every row. */
  values?: readonly number[];
  /** Share of the tokens that are marked as seen; absent for no such buffer. */
  seen?: number;
  /** Settings of the rows, over and over. */
  settings?: readonly Partial<RowSettings>[];
}

/** Rows that are drawn with settings of their own. */
function settingsBuffer(B: number, settings: readonly Partial<RowSettings>[]): Uint32Array {
  const plain = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seedLow: 7, seedHigh: 8, stream: 0 };
  const data = new Uint32Array(B * SETTINGS_WORDS);
  for (let row = 0; row < B; row++) {
    const words = writeSettings({ ...plain, seedLow: row, ...settings[row % settings.length] });
    data.set(words, row * SETTINGS_WORDS);
  }
  return data;
}

const shape = (
  name: string,
  B: number,
  V: number,
  { scale = 3, values, seen, settings, ...options }: Options = {},
) => ({
  name: `${name}: ${B} x ${V}`,
  params: {
    B,
    V,
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    seedLow: 0xdeadbeef,
    seedHigh: 12345,
    ...options,
  },
  buffers: (random: Random) => {
    const logits = random.normals(B * V, scale);
    for (let row = 0; row < B; row++) logits.set(values ?? [], row * V);
    return {
      logits: { dtype: 'fp32' as const, data: logits },
      seen:
        seen === undefined
          ? undefined
          : {
              dtype: 'u32' as const,
              data: Uint32Array.from({ length: B * V }, () => (random.uniform() < seen ? 1 : 0)),
            },
      counter: { dtype: 'u32' as const, data: Uint32Array.from({ length: B }, (_, row) => 0xfffffffe + row) },
      token: { dtype: 'i32' as const, length: B },
      settings: settings && { dtype: 'u32' as const, data: settingsBuffer(B, settings) },
    };
  },
});

const { NaN: nan, NEGATIVE_INFINITY: lowest, POSITIVE_INFINITY: highest } = Number;
// Whole numbers are exact; a bound must be above zero to be a share of.
const mixed: readonly Partial<RowSettings>[] = [
  { temperature: 0 },
  { topK: 9, temperature: 3 },
  { topP: 0.8, seedHigh: 0xffffffff },
  { minP: 0.05, repetitionPenalty: 1.7, stream: 3 },
  { temperature: 0, repetitionPenalty: 50 },
  { temperature: 1.3, topK: 50, topP: 0.9, minP: 0.02, repetitionPenalty: 1.3 },
  {},
];
const exact = { relativeRms: 1e-12, atol: 1e-12, rtol: 0 };

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: sampleKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one token', 2, 1),
    shape('greedy', 5, 777, { temperature: 0, seen: 0.3, repetitionPenalty: 1.5 }),
    shape('plain draw', 33, 257),
    shape('wider than a workgroup', 7, 2311, { temperature: 1.7 }),
    shape('top-k', 16, 601, { topK: 9, temperature: 3 }),
    shape('top-p', 16, 601, { topP: 0.8 }),
    shape('min-p', 16, 601, { minP: 0.05 }),
    shape('all filters and a penalty', 16, 1201, {
      temperature: 1.3,
      topK: 50,
      topP: 0.9,
      minP: 0.02,
      repetitionPenalty: 1.3,
      seen: 0.5,
    }),
    shape('NaN and infinities', 9, 40, { values: [nan, highest, 1, highest, lowest, nan], topK: 3, topP: 0.7 }),
    shape('nothing finite', 3, 4, { values: [nan, lowest, nan, lowest] }),
    shape('nothing but NaN', 3, 4, { values: [nan, nan, nan, nan], topP: 0.5, topK: 2 }),
    shape('huge logits', 9, 64, { scale: 1e38, topP: 0.99, minP: 0.001 }),
    shape('penalty into infinity', 5, 12, { scale: 3e38, repetitionPenalty: 1e30, seen: 1 }),
    // The launch's own parameters would give other tokens: they must not be used.
    shape('every row its own settings', 15, 601, { settings: mixed, seen: 0.4, temperature: 0 }),
    shape('settings without tokens seen', 9, 257, { settings: mixed, topK: 1 }),
    shape('a temperature that flattens all', 9, 300, { temperature: 1e30, scale: 1e3 }),
  ],
  tolerances: { seen: exact, counter: exact, token: exact },
  bench: [
    shape('decode 7B, plain', 1, 50304),
    shape('decode 7B, top-k and top-p', 1, 50304, { topK: 50, topP: 0.9, temperature: 0.8 }),
    shape('decode 7B, top-p', 1, 50304, { topP: 0.9 }),
    shape('batch of 32, top-p', 32, 50304, { topP: 0.9 }),
    shape('batch of 32, settings by row', 32, 50304, { settings: mixed }),
    shape('small', 1, 512, { topK: 50 }),
  ],
  cost: ({ B, V }) => ({ flops: 10 * B * V, bytes: 4 * B * V }),
});
