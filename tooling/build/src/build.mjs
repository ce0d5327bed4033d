#!/usr/bin/env node
// Builds the package in the current folder: src/**/*.ts to unbundled ESM plus declarations in dist/.
// Every entry of package.json's exports (and bin) that points into dist/ is an entry here.
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { shaderText } from '@xlstm-tooling/shader-text';
import { rolldown } from 'rolldown';

const root = process.cwd();
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** dist/a/b.js -> src/a/b.ts, for every distinct JavaScript target in exports and bin. */
function entries() {
  const found = new Set();
  const visit = (value) => {
    if (typeof value === 'string') {
      if (/^\.\/dist\/.*\.js$/.test(value)) found.add(value.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts'));
    } else if (value && typeof value === 'object') Object.values(value).forEach(visit);
  };
  visit(manifest.exports);
  visit(manifest.bin);
  return [...found];
}

const input = entries();
if (input.length === 0)
  throw new Error(`${manifest.name}: package.json exports nothing from ./dist, so there is nothing to build`);

rmSync(join(root, 'dist'), { recursive: true, force: true });
const bundle = await rolldown({
  input,
  platform: 'neutral',
  plugins: [shaderText({ compact: true })],
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  treeshake: false,
  // What Node 20 and today's browsers run; `using` declarations are not in it, so sources avoid them.
  transform: { target: 'es2022' },
});
await bundle.write({
  dir: 'dist',
  format: 'esm',
  preserveModules: true,
  preserveModulesRoot: 'src',
  entryFileNames: '[name].js',
  sourcemap: true,
});
await bundle.close();

for (const target of Object.values(manifest.bin ?? {})) chmodSync(join(root, target), 0o755);

// Declarations: the build project sees dependencies through their published types (their own dist).
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
const repository = resolve(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), '../../..');
const project = join(root, 'node_modules/.xlstm-build.json');
writeFileSync(
  project,
  JSON.stringify({
    extends: join(repository, 'tooling/tsconfig/base.json'),
    compilerOptions: {
      rootDir: join(root, 'src'),
      outDir: join(root, 'dist'),
      emitDeclarationOnly: true,
      typeRoots: [join(repository, 'node_modules/@types'), join(repository, 'node_modules')],
    },
    files: [...input.map((file) => join(root, file)), join(repository, 'tooling/shader-text/shaders.d.ts')],
  }),
);
const types = spawnSync(process.execPath, [tsc, '-p', project], { stdio: 'inherit' });
process.exit(types.status ?? 1);
