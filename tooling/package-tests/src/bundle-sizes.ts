import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { publicLibraries } from './public-packages.ts';

/** The façade and all that it needs in a browser, minified and compressed; in bytes, 1 kB being 1,000. */
export const FACADE_BUDGET = 250_000;

/** How large a piece of code is. */
export interface Size {
  readonly minified: number;
  readonly gzip: number;
}

/** One package's weight. */
export interface PackageSize {
  readonly name: string;
  /** Its own code alone. */
  readonly own: Size;
  /** With all that it imports: what a page that uses every export downloads. */
  readonly whole: Size;
}

/**
 * Bundles a module as a production build for browsers does, from the packages' dist/.
 *
 * @param code the module; imports are looked up from this package
 * @param external packages that are left out
 */
export async function bundleForBrowser(code: string, external: readonly string[] = []): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: import.meta.dirname, loader: 'js' },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: [...external],
    write: false,
    logLevel: 'silent',
  });
  return outputFiles[0]!.text;
}

/** Weighs every library, in the order of their folders. Needs their dist/. */
export async function measurePackages(): Promise<PackageSize[]> {
  return await Promise.all(
    publicLibraries().map(async ({ name, manifest }) => {
      const entries = Object.keys(manifest.exports!).map((subpath) => JSON.stringify(name + subpath.slice(1)));
      const code = entries.map((entry, index) => `export * as entry${index} from ${entry};`).join('\n');
      const others = Object.keys(manifest.dependencies ?? {}).flatMap((other) => [other, `${other}/*`]);
      return { name, own: sizeOf(await bundleForBrowser(code, others)), whole: sizeOf(await bundleForBrowser(code)) };
    }),
  );
}

/** What a page needs that loads a model and generates. Needs every dist/. */
export async function measureFacade(): Promise<Size> {
  return sizeOf(await bundleForBrowser("export * from 'xlstm';"));
}

function sizeOf(code: string): Size {
  return { minified: Buffer.byteLength(code), gzip: gzipSync(code, { level: 9 }).byteLength };
}
