import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { findChromium } from './find-chromium.ts';
import { runInChromium } from './run-in-chromium.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const STORIES = resolve(ROOT, 'apps/cli/models/stories');
const names = readdirSync(STORIES);

it.skipIf(!findChromium()).each([
  ['as it stands there', 'xlstm'],
  ['in a worker', 'xlstm/worker'],
])(
  "runs the README's example for a page %s (skipped without Chromium)",
  async (_, from) => {
    const readme = readFileSync(resolve(ROOT, 'packages/xlstm/README.md'), 'utf8');
    const [, example] = /\n## In a page\n[^#]*?```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(example).toContain("from 'xlstm'");
    // Beside this file, from where the package's name is found.
    const file = resolve(import.meta.dirname, `readme-page-${process.pid}.generated.ts`);
    writeFileSync(file, example!.replace("from 'xlstm'", `from '${from}'`));
    const told: string[] = [];
    try {
      await runInChromium<string>({
        entry: `
        import { fetchFiles } from ${JSON.stringify(resolve(import.meta.dirname, 'page/stories-files.ts'))};
        export default async (report) => {
          document.body.innerHTML = '<input type="file" multiple><output></output>';
          await import(${JSON.stringify(file)});
          const [input, output] = [document.querySelector('input'), document.querySelector('output')];
          const picked = new DataTransfer();
          for (const file of await fetchFiles(${JSON.stringify(names.map((name) => `/stories/${name}`))})) picked.items.add(file);
          input.files = picked.files;
          input.dispatchEvent(new Event('change'));
          for (let waited = 0; waited < 600 && output.childNodes.length < 33; waited++) {
            await new Promise((done) => setTimeout(done, 100));
          }
          await report(output.textContent);
        };`,
        files: Object.fromEntries(names.map((name) => [`/stories/${name}`, { path: resolve(STORIES, name) }])),
        workers: { '/worker-entry.js': 'xlstm/worker-entry' },
        onResult: (text) => told.push(text),
      });
    } finally {
      rmSync(file);
    }
    expect(told).toHaveLength(1);
    expect(told[0]!.length).toBeGreaterThan(30);
  },
  120_000,
);
