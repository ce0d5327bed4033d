import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createKernel } from './create-kernel.ts';
import { NewKernelError } from './kernel-name.ts';
import { nextSteps } from './next-steps.ts';
import { HELP, parseOptions } from './options.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const templates = fileURLToPath(new URL('../template/', import.meta.url));

/** Names of other lengths break lines at other places. */
function format(folder: string): void {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const { status, stderr } = spawnSync(process.execPath, [biome, 'check', '--write', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new NewKernelError(`new-kernel: ${folder} is there, but formatting it failed: ${stderr}`);
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else {
    const folder = createKernel(root, templates, options.name, options.package);
    format(folder);
    process.stdout.write(nextSteps(options.name, options.package));
  }
} catch (error) {
  if (!(error instanceof NewKernelError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
