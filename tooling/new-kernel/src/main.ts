import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createKernel } from './create-kernel.ts';
import { type KernelName, NewKernelError } from './kernel-name.ts';
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

function nextSteps(folder: string, { camel, kebab }: KernelName): string {
  const index = folder.replace(/kernels\/.*$/, 'index.ts');
  return `Made ${folder}, a complete kernel that computes y = a · x. Next:

  1. README.md, signature.ts: your equations, buffers and parameters
  2. reference.ts: the same, naive and in float64
  3. spec.ts: odd sizes, extremes, tolerances, what is timed
  4. kernel.wgsl, webgpu.ts: the shader and its grid
  5. index.ts: checks, documentation; export ${camel} and ${camel}Kernel from ${index}
  6. npm test -- ${folder}
  7. npm run bench -- ${kebab}, then npm run changeset

CONTRIBUTING.md says more about each.
`;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else {
    const folder = createKernel(root, templates, options.name, options.package);
    format(folder);
    process.stdout.write(nextSteps(folder, options.name));
  }
} catch (error) {
  if (!(error instanceof NewKernelError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
