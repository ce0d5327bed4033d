import { join } from 'node:path';
import { shaderText } from '@xlstm-tooling/shader-text';
import { rolldown } from 'rolldown';

const ENTRY = '\0bench-entry';

/** A `program` runs itself with `process.argv`; a `module` exports `run(argv)`, which gives the exit code. */
export type BundleKind = 'program' | 'module';

/** Bundles the runner and benches into one ESM file. The package `webgpu` stays outside: it is a native addon. */
export async function bundleBenches(
  root: string,
  paths: readonly string[],
  file: string,
  kind: BundleKind,
): Promise<void> {
  const imports = paths.map((path, index) => `import bench${index} from ${JSON.stringify(join(root, path))};`);
  const entries = paths.map((path, index) => `{ path: ${JSON.stringify(path)}, bench: bench${index} }`);
  const code = [
    `import { runBenches } from ${JSON.stringify(join(root, 'tooling/bench/src/run.ts'))};`,
    ...imports,
    `const run = (argv) => runBenches([${entries.join(', ')}], argv);`,
    kind === 'program' ? 'process.exitCode = await run(process.argv.slice(2));' : 'export { run };',
  ].join('\n');
  const bundle = await rolldown({
    input: ENTRY,
    platform: 'node',
    external: ['webgpu'],
    resolve: { conditionNames: ['@xlstm/source', 'node', 'import', 'default'] },
    transform: { target: 'es2022' },
    plugins: [
      {
        name: 'bench-entry',
        resolveId: (id) => (id === ENTRY ? id : null),
        load: (id) => (id === ENTRY ? code : null),
      },
      shaderText(),
    ],
  });
  try {
    await bundle.write({ file, format: 'esm', codeSplitting: false });
  } finally {
    await bundle.close();
  }
}
