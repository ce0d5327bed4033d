import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where the package is installed; the same from `src/` and from `dist/`. */
const PACKAGE = new URL('../', import.meta.url);

/** The folder of the model that comes with the command. */
export const builtInModel: string = fileURLToPath(new URL('models/stories', PACKAGE));

/** How output names a model's folder: the built-in one by name, since its path says nothing to people. */
export function modelLabel(folder: string): string {
  return folder === builtInModel ? 'stories (built in)' : folder;
}

/** The version of this package. */
export function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')) as { version: string };
  return manifest.version;
}
