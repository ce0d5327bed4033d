import { join } from 'node:path';
import { shaderText } from '@xlstm-tooling/shader-text';
import { rolldown } from 'rolldown';

/** Bundles the command from source into a folder, so that tests can run it as a process of its own, and kill it. */
export async function bundleTrainer(folder: string): Promise<string> {
  const file = join(folder, 'xlstm-train.mjs');
  const bundle = await rolldown({
    input: join(import.meta.dirname, '../main.ts'),
    platform: 'node',
    external: ['webgpu'],
    resolve: { conditionNames: ['@xlstm/source', 'node', 'import', 'default'] },
    transform: { target: 'es2022' },
    plugins: [shaderText()],
  });
  try {
    await bundle.write({ file, format: 'esm', codeSplitting: false });
  } finally {
    await bundle.close();
  }
  return file;
}
