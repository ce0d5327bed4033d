import { DeviceError } from '@xlstm/device';
import { type Browser, chromium } from 'playwright-core';
import { bundleModule, bundlePage } from './bundle-page.ts';
import { findChromium } from './find-chromium.ts';
import { type ServedFile, serveFiles } from './serve-files.ts';

/** Chromium offers its software adapter (SwiftShader) only with this. */
const OFFER_SOFTWARE_ADAPTER = '--enable-unsafe-webgpu';

/** This machine under a name that browsers do not trust as they trust `localhost`. */
const OTHER_HOST = 'another-host.test';

/** Most of these keep it quiet. */
const FLAGS = [
  '--headless',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1`,
];

/** How many lines of the page's console are kept for an error message. */
const KEPT_LINES = 20;

const PAGE = '<!doctype html><meta charset="utf-8"><title>xlstm</title><link rel="icon" href="data:,">';

/** Options of `runInChromium`. */
export interface ChromiumRun<Result> {
  /** A module (TypeScript) whose default export is `(report: (result: Result) => Promise<void>) => Promise<void>`. */
  entry: string;
  /** What the page may fetch, by path, such as `/model/config.json`. */
  files?: Readonly<Record<string, ServedFile>>;
  /** Scripts of workers: by the path where the page finds them, the name of a module such as `xlstm/worker-entry`. */
  workers?: Readonly<Record<string, string>>;
  /** Called with each result as it comes. Results are plain data; NaN and infinities arrive as they are. */
  onResult: (result: Result) => void;
  /** With `none` the browser has no adapter; by default there is at least its software one. */
  adapter?: 'none';
  /** Where the page is from. A page of another host over plain http is not a secure context; `localhost` by default. */
  origin?: 'insecure';
  /** The program to start; the one that `findChromium` finds by default. */
  executablePath?: string;
  signal?: AbortSignal;
}

async function openPage<Result>(browser: Browser, origin: string, onResult: (result: Result) => void): Promise<void> {
  const page = await browser.newPage();
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
  };
  page.on('console', (message) => keep(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => keep(`uncaught: ${error.message}`));
  await page.exposeFunction('xlstmReport', onResult);
  await page.goto(origin);
  try {
    await page.evaluate("import('/entry.js').then((entry) => entry.default(globalThis.xlstmReport))");
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const said = lines.length > 0 ? `\nthe page's console:\n${lines.join('\n')}` : '';
    throw new Error(`runInChromium: the page failed: ${text}${said}`, { cause });
  }
}

/**
 * Bundles a module, opens it in a headless Chromium with a fresh profile (with WebGPU and in a secure context
 * unless told otherwise), and waits until its default export is done.
 *
 * @throws DeviceError when there is no Chromium; Error when the module needs Node, fails, or the browser dies;
 *   `signal.reason` on abort. The browser and the server are gone in any case.
 * @example
 * ```ts
 * await runInChromium({
 *   entry: 'export default async (report) => { await report(navigator.gpu !== undefined) }',
 *   onResult: (there) => console.log(there),
 * })
 * ```
 */
export async function runInChromium<Result>(options: ChromiumRun<Result>): Promise<void> {
  const { entry, files = {}, workers = {}, adapter, onResult, signal } = options;
  signal?.throwIfAborted();
  const executablePath = options.executablePath ?? findChromium();
  if (!executablePath) {
    throw new DeviceError('runInChromium: no Chromium is on this machine; install one, or name it with CHROME_PATH');
  }
  const code = await bundlePage(entry);
  const scripts: [string, ServedFile][] = [];
  for (const [path, name] of Object.entries(workers)) scripts.push([path, { text: await bundleModule(name) }]);
  signal?.throwIfAborted();
  const server = await serveFiles(
    new Map([...Object.entries(files), ...scripts, ['/', { text: PAGE }], ['/entry.js', { text: code }]]),
  );
  try {
    // Playwright makes a profile of its own in a temporary folder and removes it.
    const args = [...FLAGS, adapter === 'none' ? '--disable-gpu' : OFFER_SOFTWARE_ADAPTER];
    const browser = await chromium.launch({ executablePath, args, chromiumSandbox: false });
    const onAbort = (): void => void browser.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      const { origin } = server;
      const from = options.origin === 'insecure' ? origin.replace('127.0.0.1', OTHER_HOST) : origin;
      await openPage(browser, from, onResult);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      await browser.close();
    }
  } finally {
    await server.close();
  }
}
