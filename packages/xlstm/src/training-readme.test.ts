import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCpuDevice } from '@xlstm/device';
import { fileSource, loadTensor, openSafetensors } from '@xlstm/loaders';
import { XLSTMLMModel } from '@xlstm/xlstm-core';
import { afterAll, describe, expect, it, vi } from 'vitest';

// Here, because of all packages only the façade may know both models and files.

const folder = mkdtempSync(join(tmpdir(), 'xlstm-training-'));
const file = join(folder, 'model.safetensors');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const examplesOf = (readme: string) =>
  [...readFileSync(new URL(readme, import.meta.url), 'utf8').matchAll(/```[tj]s\n([\s\S]*?)```/g)].map(
    ([, code]) => code!,
  );

/** Runs an example as it stands but for where its file is, and gives what it has printed. */
async function run(example: string): Promise<unknown[][]> {
  const module = new URL(`./training-example-${crypto.randomUUID()}.generated.ts`, import.meta.url);
  const printed: unknown[][] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values) => void printed.push(values));
  const saved = /'(model|stack)\.safetensors'/;
  expect(example).toMatch(saved);
  writeFileSync(module, example.replace(saved, JSON.stringify(file)));
  try {
    await import(/* @vite-ignore */ module.href);
  } finally {
    rmSync(module);
    log.mockRestore();
  }
  return printed;
}

describe('the README of xlstm-core', () => {
  const [training, loading] = examplesOf('../../xlstm-core/README.md') as [string, string];

  it('starts with an example of some twenty lines that trains, and saves what loads again', async () => {
    expect(training.split('\n').filter((line) => line !== '' && !line.startsWith('import ')).length).toBeLessThan(21);
    const losses = (await run(training)).map(([, loss]) => loss as number);
    expect(losses).toHaveLength(4);
    expect(losses[3]).toBeLessThan(0.5 * losses[0]!);

    const { source, tensors } = await openSafetensors(await fileSource(file));
    const sizes = { vocab_size: 16, embedding_dim: 32, num_blocks: 2, slstm_at: [1] };
    const model = new XLSTMLMModel(createCpuDevice(), { ...sizes, mlstm_block: {}, slstm_block: { feedforward: {} } });
    const stored = await Promise.all(
      [...tensors].map(async ([name, info]) => ({
        name,
        dtype: info.dtype,
        shape: info.shape,
        data: await loadTensor(info, 'fp32'),
      })),
    );
    await source.close();
    model.writeWeights(stored);
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect((await model.readWeights()).sort(byName)).toEqual(stored.sort(byName));

    expect(await run(loading)).toEqual([[model.parameterCount]]);
    model.dispose();
  });
});

it("trains a stack in a model of one's own, as the guide shows", async () => {
  const errors = (await run(examplesOf('../../../apps/docs/src/guide/training.md')[0]!)).map(
    ([, error]) => error as number,
  );
  expect(errors).toHaveLength(4);
  expect(errors[3]).toBeLessThan(0.1);
  const { source, tensors } = await openSafetensors(await fileSource(file));
  expect(tensors.has('blocks.0.xlstm.proj_up.weight')).toBe(true);
  await source.close();
});

it("trains by the repository's README", async () => {
  const example = examplesOf('../../../README.md').find((code) => code.includes('TrainingStep'));
  const losses = (await run(example!)).map(([, loss]) => loss as number);
  expect(losses.length).toBeGreaterThan(1);
  expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!);
});
