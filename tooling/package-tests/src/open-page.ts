import { findChromium } from '@xlstm-tooling/browser-tests';
import { chromium, type Page } from 'playwright-core';
import { serveFolders } from './serve-folders.ts';

/** Chromium offers its software adapter (SwiftShader) only with the first of them. */
const FLAGS = ['--enable-unsafe-webgpu', '--headless', '--no-first-run', '--disable-background-networking'];

/**
 * Serves folders and hands a page of a headless Chromium to `use`, which goes to the server's origin.
 *
 * @throws Error with what the page said on its console, when that is anything, or when `use` fails
 */
export async function openPage(
  folders: Readonly<Record<string, string>>,
  use: (page: Page, origin: string) => Promise<void>,
): Promise<void> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('openPage: no Chromium is on this machine; install one, or set CHROME_PATH');
  const server = await serveFolders(folders);
  const browser = await chromium.launch({ executablePath, args: FLAGS, chromiumSandbox: false });
  const said: string[] = [];
  try {
    const page = await browser.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) said.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => said.push(`uncaught: ${error.message}`));
    page.on('response', (response) => {
      if (response.status() >= 400) said.push(`${response.status()} ${response.url()}`);
    });
    await use(page, server.origin);
  } catch (cause) {
    throw new Error(`openPage: ${cause instanceof Error ? cause.message : cause}\n${said.join('\n')}`, { cause });
  } finally {
    await browser.close();
    await server.close();
  }
  if (said.length > 0) throw new Error(`openPage: the page said\n${said.join('\n')}`);
}
