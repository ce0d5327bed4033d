import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { OptionError } from '@xlstm/device';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MACOS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The Chromium or Chrome of this machine: `CHROME_PATH`, else what is on the search path. Nothing is ever downloaded.
 *
 * @returns undefined when there is none
 * @throws OptionError when `CHROME_PATH` names no program
 */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const named = env.CHROME_PATH;
  if (named) {
    if (isProgram(named)) return named;
    throw new OptionError(`CHROME_PATH: expected a Chromium that can be run, got ${named}; correct it or unset it`);
  }
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = NAMES.flatMap((name) => [...folders, '/usr/bin'].map((folder) => join(folder, name)));
  return [...candidates, ...MACOS.filter((path) => existsSync(path))].find(isProgram);
}
