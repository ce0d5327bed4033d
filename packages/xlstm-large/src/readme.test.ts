import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

const readme = new URL('../README.md', import.meta.url);

const examples = [...readFileSync(readme, 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);

/** Runs an example as it stands there and gives what it has written. */
async function run(example: string): Promise<unknown[]> {
  // Written beside the sources, so that its imports resolve as a user's would inside this repository.
  const file = new URL('./readme-example.generated.ts', import.meta.url);
  const written: unknown[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values) => void written.push(...values));
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(text) > 0);
  writeFileSync(file, example);
  try {
    await import(/* @vite-ignore */ `${file.href}?${Date.now()}`);
  } finally {
    rmSync(file);
    log.mockRestore();
    out.mockRestore();
  }
  return written;
}

it("runs the README's examples as they stand there", async () => {
  expect(examples).toHaveLength(2);
  expect((await run(examples[0]!)).length).toBeGreaterThan(4);
  const [loss, norm] = (await run(examples[1]!)) as [number, number];
  expect(loss).toBeLessThan(0.7 * Math.log(64));
  expect(norm).toBeGreaterThan(0);
});
