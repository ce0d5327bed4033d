import { shaderText } from '@xlstm-tooling/shader-text';
import { rolldown } from 'rolldown';

const ENTRY = '\0page-entry';

/**
 * Bundles a page's module, given as code, for browsers. See `bundle`.
 *
 * @param code the module; it imports by absolute paths or by names that this package depends on
 */
export function bundlePage(code: string): Promise<string> {
  return bundle(ENTRY, code);
}

/** Bundles a module that this package can import by name, such as a worker's script. See `bundle`. */
export function bundleModule(name: string): Promise<string> {
  return bundle(name, '');
}

/**
 * Bundles for browsers: workspace packages from their sources, shaders as text.
 *
 * @returns the bundle as one ESM module that imports nothing
 * @throws Error that names each import which no browser could follow, such as `node:fs`, and who asked for it
 */
async function bundle(input: string, code: string): Promise<string> {
  const importers = new Map<string, Set<string>>();
  const built = await rolldown({
    input,
    cwd: import.meta.dirname,
    platform: 'browser',
    // What the browser lacks stays an import, so that the check below can name it.
    external: /^node:/,
    resolve: { conditionNames: ['@xlstm/source', 'browser', 'import', 'default'] },
    transform: { target: 'es2022' },
    plugins: [
      {
        name: 'page-entry',
        resolveId(id, importer) {
          if (id === ENTRY) return id;
          if (id.startsWith('node:') && importer) {
            importers.set(id, (importers.get(id) ?? new Set()).add(importer));
          }
          // Imports of the entry are looked up from this folder.
          return importer === ENTRY ? this.resolve(id, import.meta.filename, { skipSelf: true }) : null;
        },
        load: (id) => (id === ENTRY ? { code, moduleType: 'ts' } : null),
      },
      shaderText(),
    ],
  });
  try {
    const { output } = await built.generate({ format: 'esm', codeSplitting: false });
    const [chunk] = output;
    const outside = [...chunk.imports, ...chunk.dynamicImports];
    if (outside.length > 0) {
      const named = outside.map((id) => {
        const from = [...(importers.get(id) ?? [])].filter((file) => chunk.moduleIds.includes(file));
        return from.length > 0 ? `${id} (from ${from.join(', ')})` : id;
      });
      throw new Error(`bundlePage: a browser cannot import ${named.join('; ')}; ask for it only in Node`);
    }
    return chunk.code;
  } finally {
    await built.close();
  }
}
