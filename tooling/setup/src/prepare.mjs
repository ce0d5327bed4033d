// Installs packages and builds, only where that is not done already.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run, runTool, SetupError, say } from './commands.mjs';
import { buildFingerprint, installFingerprint, promisedOutputs } from './fingerprint.mjs';
import { withLock } from './lock.mjs';
import { ensurePnpm } from './pnpm.mjs';
import { withDependencies, workspacePackages } from './repository.mjs';
import { readStamp, writeStamp } from './stamp.mjs';

const ALL = '*';

/**
 * Makes the repository ready for a task; when it is ready already this costs some file look-ups and no process.
 * @param {string} root
 * @param {{ build?: string | true }} wanted a package name to build it and what it needs, true for every package
 */
export async function prepare(root, { build } = {}) {
  if (isInstalled(root) && (build === undefined || isBuilt(root, build))) return;
  await withLock(
    join(root, '.tools/setup.lock'),
    async () => {
      // Whoever held the lock before us may have done the work.
      if (!isInstalled(root)) await install(root);
      if (build !== undefined && !isBuilt(root, build)) await compile(root, build);
    },
    (holder) => say(`Setting up: waiting for the setup that runs already (process ${holder})…`),
  );
}

function isInstalled(/** @type {string} */ root) {
  return readStamp(root).install === installFingerprint(root);
}

function isBuilt(/** @type {string} */ root, /** @type {string | true} */ build) {
  const { built } = readStamp(root);
  const now = buildFingerprint(root);
  const name = build === true ? ALL : build;
  if (built[ALL] !== now && built[name] !== now) return false;
  const needed = withDependencies(workspacePackages(root), build === true ? undefined : build);
  return needed.every(({ folder, manifest }) =>
    promisedOutputs(manifest).every((file) => existsSync(join(root, folder, file))),
  );
}

async function install(/** @type {string} */ root) {
  await ensurePnpm(root);
  say('Setting up: installing packages (once)…');
  const fingerprint = installFingerprint(root);
  const { built } = readStamp(root);
  // An interrupted install must not look like a finished one.
  writeStamp(root, { built });
  const { code, output } = await run('pnpm', ['install', '--frozen-lockfile', '--config.confirmModulesPurge=false'], {
    cwd: root,
    quiet: true,
  });
  if (code !== 0) {
    throw new SetupError(
      `${output}\nsetup: pnpm install failed (exit code ${code}); check the network, or, if you changed a package.json, run pnpm install to renew pnpm-lock.yaml`,
    );
  }
  writeStamp(root, { install: fingerprint, built });
}

async function compile(/** @type {string} */ root, /** @type {string | true} */ build) {
  await ensurePnpm(root);
  say('Setting up: building (after changes only)…');
  const fingerprint = buildFingerprint(root);
  const { code, output } = await turboBuild(root, build, true);
  if (code !== 0) throw new SetupError(`${output}\nsetup: the build failed (exit code ${code}); see above`);
  const stamp = readStamp(root);
  const name = build === true ? ALL : build;
  writeStamp(root, { ...stamp, built: { ...stamp.built, [name]: fingerprint } });
}

/**
 * `turbo run build`, of one package and what it needs or of all.
 * @param {string} root
 * @param {string | true} build
 * @param {boolean} quiet
 */
export async function turboBuild(root, build, quiet) {
  const filter = build === true ? [] : [`--filter=${build}`];
  const env = {
    ...process.env,
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    // turbo starts pnpm once a package; that each of them looks the installation over again gains nothing.
    pnpm_config_verify_deps_before_run: 'false',
  };
  return await runTool(root, 'turbo/bin/turbo', ['run', 'build', ...filter, '--output-logs=errors-only'], {
    quiet,
    env,
  });
}
