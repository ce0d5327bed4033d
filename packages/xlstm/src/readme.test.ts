import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

const readme = new URL('../README.md', import.meta.url);

it("runs the README's first example as it stands there", async () => {
  const [, example] = /```ts\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8')) ?? [];
  expect(example).toBeDefined();
  // Written beside the sources, so that its imports resolve as a user's would inside this repository.
  const file = new URL('./readme-example.generated.ts', import.meta.url);
  const written: unknown[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((line) => void written.push(line));
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(text) > 0);
  writeFileSync(file, example!);
  try {
    await import(/* @vite-ignore */ `${file.href}?${Date.now()}`);
  } finally {
    rmSync(file);
    log.mockRestore();
    out.mockRestore();
  }
  expect(written.length).toBeGreaterThan(4);
});
