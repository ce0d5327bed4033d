// Compiles every .cu file with nvcc, so that a kernel for a GPU that is not here still cannot stop compiling.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './commands.mjs';
import { workspacePackages } from './repository.mjs';

const ARCHITECTURES = ['80', '90a'];

/**
 * @param {string} root
 * @returns {Promise<import('./suite.mjs').Result>}
 */
export async function compileCudaKernels(root) {
  const files = workspacePackages(root).flatMap(({ folder }) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.cu') && /^src[\\/]/.test(file))
      .map((file) => join(folder, file)),
  );
  if (files.length === 0) return { state: 'skipped', note: 'there is no .cu file yet' };
  const version = await run('nvcc', ['--version'], { cwd: root, quiet: true });
  if (version.code !== 0) {
    return { state: 'skipped', note: `${files.length} .cu files not compiled: nvcc is not on PATH (CUDA toolkit)` };
  }
  const folder = mkdtempSync(join(tmpdir(), 'xlstm-nvcc-'));
  /** @type {string[]} */
  const broken = [];
  const waiting = [...files.entries()];
  const worker = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [i, file] = next;
      const targets = ARCHITECTURES.flatMap((sm) => ['-gencode', `arch=compute_${sm},code=sm_${sm}`]);
      const args = ['-std=c++17', '--fatbin', ...targets, '-o', join(folder, `${i}.fatbin`), file];
      const { code, output } = await run('nvcc', args, { cwd: root, quiet: true });
      if (code !== 0) broken.push(`${file}\n${output}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (broken.length > 0) return { state: 'failed', note: broken.join('\n') };
  return { state: 'passed', note: `${files.length} .cu files for sm_${ARCHITECTURES.join(' and sm_')}` };
}
