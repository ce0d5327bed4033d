import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PageParts } from './page/run-page.ts';

/** Where the tests' model with random weights is written down. */
export const RANDOM_MODEL = 'packages/xlstm-large/src/testing/random-model.ts';

/** Every `packages/<name>/src/kernels/<kernel>/spec.ts`, from the repository's root, with forward slashes. */
export function findSpecs(root: string): string[] {
  return readdirSync(join(root, 'packages'))
    .flatMap((name) => {
      const folder = join(root, 'packages', name, 'src/kernels');
      return existsSync(folder)
        ? readdirSync(folder).map((kernel) => `packages/${name}/src/kernels/${kernel}/spec.ts`)
        : [];
    })
    .filter((path) => existsSync(join(root, path)))
    .sort();
}

/** The module of the test page: imports the specs of this moment and runs them. */
export function pageEntry(
  root: string,
  specs: readonly string[],
  settings: Pick<PageParts, 'random' | 'story'>,
): string {
  const from = (path: string): string => JSON.stringify(join(root, path));
  return [
    `import { runPage } from ${from('tooling/browser-tests/src/page/run-page.ts')};`,
    `import { randomModel } from ${from(RANDOM_MODEL)};`,
    ...specs.map((path, index) => `import { spec as spec${index} } from ${from(path)};`),
    `const specs = [${specs.map((path, index) => `{ path: ${JSON.stringify(path)}, spec: spec${index} }`).join(', ')}];`,
    `export default (report) => runPage({ specs, randomModel, ...${JSON.stringify(settings)} }, report);`,
  ].join('\n');
}
