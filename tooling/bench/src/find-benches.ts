import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Every `*.bench.ts` under packages/<name>/src, from the repository's root, with forward slashes. */
export function findBenches(root: string): string[] {
  return readdirSync(join(root, 'packages'))
    .filter((name) => existsSync(join(root, 'packages', name, 'src')))
    .flatMap((name) =>
      readdirSync(join(root, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.bench.ts'))
        .map((file) => `packages/${name}/src/${file.replaceAll('\\', '/')}`),
    )
    .sort();
}
