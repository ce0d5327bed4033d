import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

it("runs the README's example of the sLSTM cell", async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [code] = [...readme.split('## sLSTM cell')[1]!.matchAll(/```ts\n([\s\S]*?)```/g)].map((example) => example[1]!);
  const promised = [...code!.matchAll(/console\.log\(.*\); \/\/ (.*)…$/gm)].map((line) => Number(line[1]));
  expect(promised).toHaveLength(2);
  // Written beside the sources, so that its imports resolve as a user's would inside this repository.
  const file = new URL('./slstm-readme-example.generated.ts', import.meta.url);
  const printed: number[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((value: number) => {
    printed.push(Math.trunc(value * 1000) / 1000);
  });
  writeFileSync(file, code!.replace("'@xlstm/mlstm-kernels'", "'./index.ts'"));
  try {
    await import(/* @vite-ignore */ `${file.href}?${Date.now()}`);
  } finally {
    rmSync(file);
    log.mockRestore();
  }
  expect(printed).toEqual(promised);
});
