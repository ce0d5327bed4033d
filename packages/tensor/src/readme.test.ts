import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it, vi } from 'vitest';

const readme = new URL('../README.md', import.meta.url);

await describeDevices("the tensor package's README", (_device, kind) => {
  it('starts with an example that runs and prints what it says', async () => {
    const [, example] = /```ts\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8')) ?? [];
    const [, promised] = /console\.log\(.*\); \/\/ (.*)$/m.exec(example!) ?? [];
    expect(promised).toBeDefined();
    // On every device, whatever "auto" would take.
    const code = example!.replace("selectDevice('auto')", `selectDevice('${kind}')`);
    expect(code).not.toBe(example);
    // Written beside the sources, so that its imports resolve as a user's would inside this repository.
    const file = new URL(`./readme-example-${kind}.generated.ts`, import.meta.url);
    const printed: number[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((...values) => void printed.push(...values));
    writeFileSync(file, code.replace("'@xlstm/tensor'", "'./index.ts'"));
    try {
      await import(/* @vite-ignore */ `${file.href}?${Date.now()}`);
    } finally {
      rmSync(file);
      log.mockRestore();
    }
    const written = promised!.split(' ').map(Number.parseFloat);
    expect(printed).toHaveLength(written.length);
    for (const [index, value] of written.entries()) expect(Math.abs(printed[index]! - value)).toBeLessThan(1e-3);
  });
});
