import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { describe, expect, it, vi } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const [page, node, gradients] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
const PAGE_ADAPTER = 'const adapter = await navigator.gpu.requestAdapter();\n';

/** What the example says that it prints. */
function promisesOf(example: string): string[] {
  return [...example.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((line) => line[1]!.replace('…', ''));
}

/** Runs an example beside the sources, so that its imports resolve as a user's would inside this repository. */
async function printedBy(name: string, example: string): Promise<string[]> {
  const file = new URL(`./readme-${name}.generated.ts`, import.meta.url);
  const printed: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values) => {
    printed.push(values.map((value: number) => Math.trunc(value * 1000) / 1000).join(' '));
  });
  writeFileSync(file, example.replace("'@xlstm/mlstm-kernels'", "'./index.ts'"));
  try {
    await import(/* @vite-ignore */ `${file.href}?${Date.now()}`);
  } finally {
    rmSync(file);
    log.mockRestore();
  }
  return printed;
}

// In a page it is run by tooling/package-tests.
await describeDevices("the kernels' README", () => {
  it('starts with an example that runs in Node too, on a GPUDevice of its own', async () => {
    expect(page).toContain(PAGE_ADAPTER);
    const promised = promisesOf(page!);
    expect(promised).toHaveLength(2);
    expect(await printedBy('example', page!.replace(PAGE_ADAPTER, node!))).toEqual(promised);
  });
}, ['webgpu']);

describe("the kernels' README on gradients", () => {
  it('has an example that runs', async () => {
    const promised = promisesOf(gradients!);
    expect(promised).toHaveLength(1);
    expect(await printedBy('gradients', gradients!)).toEqual(promised);
  });
});
