// Finds pnpm, or brings it in beside the sources: no global install, no corepack.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { run, SetupError, say } from './commands.mjs';

/**
 * Makes `pnpm` on PATH (of this process and its children) one of the major version that package.json asks for.
 * @param {string} root
 */
export async function ensurePnpm(root) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const range = manifest.devEngines.packageManager.version;
  const major = /\d+/.exec(range)?.[0];
  if ((await pnpmMajor()) === major) return;

  const folder = join(root, '.tools/pnpm');
  const path = process.env.PATH;
  process.env.PATH = `${join(folder, 'node_modules/.bin')}${delimiter}${path}`;
  if (existsSync(folder) && (await pnpmMajor()) === major) return;

  say(`Setting up: getting pnpm ${major} into .tools/ (once)…`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const { code, output } = await npm(folder, [
    'install',
    '--prefix=.',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--ignore-scripts',
    `pnpm@${range}`,
  ]);
  // pnpm's own install step puts the binary for this platform in place; npm may be told not to run such steps.
  const installer = join(folder, 'node_modules/pnpm/install.js');
  const linked =
    code === 0 && existsSync(installer) && (await run(process.execPath, [installer], { cwd: folder, quiet: true }));
  if (linked && linked.code !== 0) say(linked.output);
  if (code !== 0 || (await pnpmMajor()) !== major) {
    process.env.PATH = path;
    rmSync(folder, { recursive: true, force: true });
    throw new SetupError(
      `${output}\nsetup: npm could not install pnpm ${range}; check the network, or install pnpm ${major} yourself (https://pnpm.io)`,
    );
  }
}

/** @returns {Promise<string | undefined>} */
async function pnpmMajor() {
  // Asked in a folder without a package.json: some versions answer with the one that the project names.
  const env = { ...process.env, COREPACK_ENABLE_DOWNLOAD_PROMPT: '0' };
  const { code, output } = await run('pnpm', ['--version'], { cwd: tmpdir(), env, quiet: true });
  return code === 0 ? /(?:^|\n)(\d+)\.\d+\.\d+/.exec(output)?.[1] : undefined;
}

function npm(/** @type {string} */ cwd, /** @type {string[]} */ args) {
  // Started by npm, we know which npm; it need not be on PATH.
  const cli = process.env.npm_execpath;
  if (cli && /npm-cli\.c?js$/.test(cli)) return run(process.execPath, [cli, ...args], { cwd, quiet: true });
  return run('npm', args, { cwd, quiet: true });
}
