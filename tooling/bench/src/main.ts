import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { XlstmError } from '@xlstm/device';
import { bundleBenches } from './bundle.ts';
import { findBenches } from './find-benches.ts';
import { HELP, parseOptions } from './options.ts';
import { matching } from './select-benches.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Benches are TypeScript with shaders beside it, so they are bundled before they run. */
async function main(argv: readonly string[]): Promise<void> {
  const options = parseOptions(argv);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const chosen = matching(findBenches(root), options.filter, (path) => path);
  if (options.bundle !== undefined) {
    const file = resolve(options.bundle);
    await bundleBenches(root, chosen, file, 'program');
    process.stderr.write(`bench: wrote ${chosen.length} benches to ${file}; run it with: node ${options.bundle}\n`);
    return;
  }
  // Beside the device package, where its native addon "webgpu" is found.
  const file = join(root, 'packages/device/node_modules', `.xlstm-bench-${process.pid}.mjs`);
  let run: (argv: readonly string[]) => Promise<number>;
  try {
    await bundleBenches(root, chosen, file, 'module');
    ({ run } = (await import(pathToFileURL(file).href)) as { run: typeof run });
  } finally {
    // Before anything runs: whoever interrupts a bench leaves nothing behind.
    rmSync(file, { force: true });
  }
  process.exitCode = await run(argv);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof XlstmError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
