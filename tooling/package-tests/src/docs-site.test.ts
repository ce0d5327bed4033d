import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findChromium } from '@xlstm-tooling/browser-tests';
import { beforeAll, expect, it } from 'vitest';
import { openPage } from './open-page.ts';
import { publicLibraries, repository } from './public-packages.ts';
import { runProgram } from './run-program.ts';

const site = join(repository, 'apps/docs/dist');

const kernels = publicLibraries().flatMap(({ folder }) => {
  const path = join(repository, folder, 'src/kernels');
  return existsSync(path) ? readdirSync(path) : [];
});

// A dead link fails the build.
beforeAll(async () => {
  await runProgram(process.execPath, ['apps/docs/src/build-site.mjs'], { cwd: repository });
}, 300_000);

it('has a page for every kernel and two for every library', () => {
  expect(kernels.length).toBeGreaterThan(10);
  const pages = [
    ...[
      'index',
      'guide/start',
      'guide/node',
      'guide/browser',
      'guide/cli',
      'guide/training',
      'concepts/states',
      'benchmarks/conformance',
    ],
    ...kernels.map((name) => `kernels/${name}`),
    ...publicLibraries().flatMap(({ name, folder }) => [`api/${name}`, folder]),
  ];
  expect(pages.filter((page) => !existsSync(join(site, `${page}.html`)))).toEqual([]);
});

it('fits a phone, and says nothing on the console', async (context) => {
  if (!findChromium()) context.skip('there is no Chromium here; the site was built and looked at');
  await openPage({ '/': site }, async (page, origin) => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of [
      'index',
      'guide/browser',
      'api/@xlstm/device',
      'kernels/mlstm-step',
      'benchmarks/conformance',
    ]) {
      await page.goto(`${origin}/${path}.html`, { waitUntil: 'networkidle' });
      expect(await page.locator('h1').count(), path).toBe(1);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), path).toBeLessThanOrEqual(0);
    }
  });
});
