import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

const readme = new URL('../README.md', import.meta.url);

it("runs the README's first example as it stands there, from the repository's root", async () => {
  const [, example] = /```ts\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8')) ?? [];
  const [, promised] = /console\.log\(.*\); \/\/ (.*)$/m.exec(example!) ?? [];
  expect(promised).toBeDefined();
  // Written beside the sources, so that its imports resolve as a user's would inside this repository.
  const file = new URL('./readme-example.generated.ts', import.meta.url);
  const printed: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values) => void printed.push(values.join(' ')));
  writeFileSync(file, example!.replace("'@xlstm/loaders'", "'./index.ts'"));
  try {
    await import(/* @vite-ignore */ `${file.href}?${Date.now()}`);
  } finally {
    rmSync(file);
    log.mockRestore();
  }
  expect(printed).toEqual([promised]);
});
