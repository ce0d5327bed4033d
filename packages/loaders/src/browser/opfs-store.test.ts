import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { rolldown } from 'rolldown';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { blobName, HubServer } from '../testing/hub-server.ts';
import type { OpfsPage } from '../testing/opfs-page.ts';
import { NEEDED, tinyRepository } from '../testing/tiny-repository.ts';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
];
const executablePath = process.env.CHROME_PATH ?? PLACES.find((path) => existsSync(path));
if (!executablePath)
  console.warn('skipped: no Chromium here to keep files in; install one or name it with CHROME_PATH');

const shard = NEEDED[2]!;
let script: string;
let site: Server;
let browser: Browser;
let hub: HubServer;
let page: Page;

describe.skipIf(!executablePath)("a model in a browser's private files", () => {
  beforeAll(async () => {
    const bundle = await rolldown({
      input: join(import.meta.dirname, '../testing/opfs-page.ts'),
      platform: 'browser',
      resolve: { conditionNames: ['@xlstm/source', 'browser', 'import', 'default'] },
      transform: { target: 'es2022' },
    });
    const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
    script = output[0].code;
    await bundle.close();
    expect(output[0].imports).toEqual([]);
    site = createServer((request, response) => {
      const isScript = request.url === '/page.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? script : '<!doctype html><title>models</title>');
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--headless'], chromiumSandbox: false });
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });
  beforeEach(async () => {
    hub = await new HubServer(tinyRepository()).start();
    page = await (await browser.newContext()).newPage();
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  });
  afterEach(async () => {
    await page.context().close();
    await hub.stop();
  });

  function ask<Name extends keyof OpfsPage>(
    name: Name,
    ...args: Parameters<OpfsPage[Name]>
  ): Promise<Awaited<ReturnType<OpfsPage[Name]>>> {
    const call = `import('/page.js').then(({ opfsPage }) => opfsPage(${JSON.stringify(hub.id)}, ${JSON.stringify(hub.endpoint)}).${name}(...${JSON.stringify(args)}))`;
    return page.evaluate(call);
  }

  it('downloads once, opens, works offline after a reload, and is forgotten when asked', async () => {
    hub.token = 'hf_secret';
    expect(await ask('isCached')).toBe(false);
    const loaded = await ask('load', { token: 'hf_secret' });
    expect(loaded.names).toEqual(NEEDED);
    expect(loaded.last).toBeCloseTo(Math.sin(20_000) * 20_001, 1);
    expect(loaded.statuses).toEqual(['initiate', 'download', 'progress', 'done', 'ready']);
    expect(hub.log.filter(({ origin, authorization }) => origin === 'storage' && authorization)).toEqual([]);
    expect(await ask('isCached')).toBe(true);
    await page.reload();
    hub.log.length = 0;
    expect((await ask('load', { offline: true })).last).toBe(loaded.last);
    expect(hub.log).toEqual([]);
    await ask('clear');
    expect(await ask('isCached')).toBe(false);
    expect((await ask('failure', { offline: true })).code).toBe('offline');
  });

  it('goes on after an abort where it was', async () => {
    hub.pauseMs = 5;
    hub.pieceBytes = 2048;
    expect(await ask('abortAfter', 4000)).toBe('RangeError');
    expect(await ask('isCached')).toBe(false);
    hub.pauseMs = 0;
    hub.log.length = 0;
    await ask('load');
    const asked = hub.log.filter(({ path, range }) => path.endsWith('.safetensors') && range !== undefined);
    // One shard had come to 4,000 bytes; of the others, on a busy machine, nothing may have been written yet.
    expect(asked.map(({ range }) => range)).toContainEqual(expect.stringMatching(/^bytes=[1-9]\d+-$/));
  });

  it('heals damaged bytes, and shows none that arrive damaged', async () => {
    await ask('load');
    await ask('damage', blobName(hub.files.get(shard)!));
    hub.log.length = 0;
    const loaded = await ask('load', { verify: 'hash' });
    expect(loaded.names).toEqual(NEEDED);
    expect(hub.log.some(({ path }) => path.endsWith(shard))).toBe(true);
    await ask('clear');
    hub.mischief = ({ path }) => (path.endsWith(shard) ? { kind: 'corrupt' } : undefined);
    expect((await ask('failure')).code).toBe('corrupt');
    expect(await ask('isCached')).toBe(false);
  });

  it('asks for room before the first byte', async () => {
    const huge = new Uint8Array(10);
    Object.defineProperty(huge, 'byteLength', { value: 2 ** 50 });
    hub.files.set(shard, { bytes: huge, large: true });
    const { code, message } = await ask('failure');
    expect([code, message]).toEqual(['quota', expect.stringMatching(/\d+ bytes are still .* grants \d+ more/)]);
    expect(hub.log.some(({ path }) => path.endsWith('.safetensors'))).toBe(false);
  });

  // Chromium tells pages of a quota that is not the true one, so that room can end in the midst of a download.
  it('ends clearly when room ends midway, and goes on when there is more', async () => {
    const session = await page.context().newCDPSession(page);
    const { origin } = new URL(page.url());
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 180_000 });
    const { code, message } = await ask('failure');
    expect([code, message]).toEqual([
      'quota',
      expect.stringMatching(/grants no more room .* while (writing|finishing) a download/),
    ]);
    expect(await ask('isCached')).toBe(false);
    await session.send('Storage.overrideQuotaForOrigin', { origin });
    expect((await ask('load')).names).toEqual(NEEDED);
  });
});
