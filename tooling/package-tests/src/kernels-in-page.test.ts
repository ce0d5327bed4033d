import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium } from '@xlstm-tooling/browser-tests';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleForBrowser } from './bundle-sizes.ts';
import { openPage } from './open-page.ts';
import { buildPackages } from './pack.ts';
import { repository } from './public-packages.ts';

const required = (process.env.XLSTM_REQUIRE_DEVICES ?? '').split(',').includes('webgpu');

describe.skipIf(!findChromium() && !required)("the kernels' README (skipped where there is no Chromium)", () => {
  let folder = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'xlstm-page-'));
    await buildPackages();
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("starts with an example that runs in a page, on the page's own GPUDevice", async (context) => {
    const readme = readFileSync(join(repository, 'packages/mlstm-kernels/README.md'), 'utf8');
    const [, example] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    const promised = [...example!.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((line) => line[1]!);
    const { code } = await transform(example!, { loader: 'ts', target: 'es2022' });
    writeFileSync(join(folder, 'page.js'), await bundleForBrowser(`${code}\ndocument.title = 'done';`));
    const adapter = `if (!(await navigator.gpu?.requestAdapter())) document.title = 'no adapter';
      else await import('/page.js');`;
    const head = '<!doctype html><meta charset="utf-8"><title>waiting</title><link rel="icon" href="data:,">';
    writeFileSync(join(folder, 'index.html'), `${head}<script type="module">${adapter}</script>`);

    const printed: string[] = [];
    let title = '';
    await openPage({ '/': folder }, async (page, origin) => {
      page.on('console', (message) => printed.push(message.text()));
      await page.goto(origin);
      await page.waitForFunction("document.title !== 'waiting'", undefined, { timeout: 45_000 });
      title = await page.title();
    });
    if (title === 'no adapter' && !required) context.skip('this Chromium gives no WebGPU adapter');
    expect(title).toBe('done');
    expect(printed.map((line) => line.replace(/(\.\d{3})\d*/, '$1'))).toEqual(
      promised.map((line) => line.replace('…', '')),
    );
  });
});
