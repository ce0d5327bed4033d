import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { XlstmState } from '@xlstm/xlstm-large';
import { expect, it, vi } from 'vitest';
import { XlstmModel } from './from-pretrained.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

function exampleOf(section: string): string {
  const [, example] = new RegExp(`\n## ${section}\n[^#]*?\`\`\`ts\n([\\s\\S]*?)\`\`\``).exec(readme) ?? [];
  expect(example, section).toBeDefined();
  return example!;
}

const rootReadme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
const blocks = (text: string) => [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block!);

it("shows the same page in the repository's README, which tests in Chromium run", () => {
  expect(blocks(rootReadme)).toContain(exampleOf('In a page'));
});

it.each([
  ["the package's", () => exampleOf('In Node')],
  ["the repository's", () => blocks(rootReadme)[0]!],
])('runs %s README example for Node as it stands there', async (_, example) => {
  expect((await run(example())).length).toBeGreaterThan(4);
});

/** Runs an example as a module and gives what it has written. */
async function run(example: string): Promise<unknown[]> {
  // Written beside the sources, so that its imports resolve as a user's would inside this repository.
  const file = new URL('./readme-example.generated.ts', import.meta.url);
  const written: unknown[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((line) => void written.push(line));
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

it("runs the README's example with `await using`, compiled for this Node, which releases everything", async () => {
  const disposed = [vi.spyOn(XlstmState.prototype, 'dispose'), vi.spyOn(XlstmModel.prototype, 'dispose')];
  const written = await run(exampleOf('Released by themselves'));
  expect(written.length).toBeGreaterThan(4);
  const [state, model] = disposed.map(({ mock }) => mock.invocationCallOrder[0]!);
  expect(state).toBeLessThan(model!);
  for (const each of disposed) each.mockRestore();
});

it("runs the README's example of several prompts together as it stands there", async () => {
  const written = await run(exampleOf('Several prompts together'));
  // Of each line, what comes first: two sequences of 16 tokens and one that a stop string may end, then a text.
  expect(new Set(written.slice(0, -1))).toEqual(new Set([0, 1, 2]));
  expect(written.length).toBeGreaterThan(2 * 16);
  expect(written.at(-1)).toMatch(/\w/);
});

it("runs the README's example for a worker as it stands there, with the built package", async () => {
  // In the package's folder its own name means its exports, as it does to whoever installed it.
  const file = resolve(import.meta.dirname, '../dist/readme-worker.generated.mjs');
  writeFileSync(file, exampleOf('In a worker'));
  try {
    const cwd = resolve(import.meta.dirname, '../../..');
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd });
    expect(stdout.split('\n').length).toBeGreaterThan(4);
  } finally {
    rmSync(file);
  }
});
