import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it, vi } from 'vitest';

const readme = new URL('../README.md', import.meta.url);
const PAGE_ADAPTER = 'const adapter = await navigator.gpu.requestAdapter();\n';

// In a page it is run by tooling/package-tests.
await describeDevices("the kernels' README", () => {
  it('starts with an example that runs in Node too, on a GPUDevice of its own', async () => {
    const examples = [...readFileSync(readme, 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)];
    const [page, node] = examples.map(([, code]) => code!);
    expect(page).toContain(PAGE_ADAPTER);
    const promised = [...page!.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((line) => line[1]!);
    expect(promised).toHaveLength(2);
    const code = page!.replace(PAGE_ADAPTER, node!).replace("'@xlstm/mlstm-kernels'", "'./index.ts'");
    // Written beside the sources, so that its imports resolve as a user's would inside this repository.
    const file = new URL('./readme-example.generated.ts', import.meta.url);
    const printed: string[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((...values) => {
      printed.push(values.map((value: number) => Math.trunc(value * 1000) / 1000).join(' '));
    });
    writeFileSync(file, code);
    try {
      await import(/* @vite-ignore */ `${file.href}?${Date.now()}`);
    } finally {
      rmSync(file);
      log.mockRestore();
    }
    expect(printed).toEqual(promised.map((line) => line.replace('…', '')));
  });
}, ['webgpu']);
