import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it, vi } from 'vitest';

const readme = new URL('../README.md', import.meta.url);

const examples = [...readFileSync(readme, 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
const names = ['first', 'training'];

await describeDevices("the tensor package's README", (_device, kind) => {
  it.each(names.map((name, at) => [name, examples[at]!]))(
    'has a %s example that prints what it says',
    async (name, example) => {
      const [, promised] = /console\.log\(.*\); \/\/ (.*)$/m.exec(example) ?? [];
      expect(promised).toBeDefined();
      // On every device, whatever "auto" would take.
      const code = example
        .replace('createCpuDevice()', "(await selectDevice('auto')).device")
        .replace('createCpuDevice }', 'selectDevice }')
        .replace("selectDevice('auto')", `selectDevice('${kind}')`);
      expect(code).toContain(`selectDevice('${kind}')`);
      // Written beside the sources, so that its imports resolve as a user's would inside this repository.
      const file = new URL(`./readme-${name}-${kind}.generated.ts`, import.meta.url);
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
      for (const [index, value] of written.entries())
        expect(Math.abs(printed[index]! - value), `${printed}`).toBeLessThan(1e-3);
    },
  );

  it('has no other', () => expect(examples).toHaveLength(names.length));
});
