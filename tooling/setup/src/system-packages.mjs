// The two Debian packages that the WebGPU tests need on a machine without a GPU.
import { existsSync, readFileSync } from 'node:fs';
import { run, say } from './commands.mjs';

/** Ubuntu's package has another name, and brings Chromium as a snap, which needs a running snapd. */
const NEEDED = [isUbuntu() ? 'chromium-browser' : 'chromium', 'libvulkan1'];
const BY_HAND = `apt-get install --no-install-recommends ${NEEDED.join(' ')}`;

function isUbuntu() {
  return existsSync('/etc/os-release') && /^ID(_LIKE)?=.*ubuntu/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/**
 * Installs what is missing on Debian and Ubuntu as root.
 * @param {string} root
 * @returns {Promise<string | undefined>} what is missing and how to get it; undefined if nothing is
 */
export async function ensureSystemPackages(root) {
  if (process.platform !== 'linux') return undefined;
  if (!existsSync('/usr/bin/apt-get')) {
    return 'not Debian or Ubuntu: without a GPU driver, install Chromium and the Vulkan loader for the WebGPU tests';
  }
  const missing = await missingPackages(root);
  if (missing.length === 0) return undefined;
  if (process.getuid?.() !== 0) {
    return `${missing.join(' and ')} missing; for WebGPU without a GPU: sudo ${BY_HAND}`;
  }
  say(`Setting up: installing ${missing.join(' and ')} for the WebGPU tests (once)…`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const patient = ['-qq', '-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=300'];
  const update = await run('apt-get', ['update', ...patient], { cwd: root, env, quiet: true });
  const install = await run('apt-get', ['install', '-y', '--no-install-recommends', ...patient, ...missing], {
    cwd: root,
    env,
    quiet: true,
  });
  const still = await missingPackages(root);
  if (still.length === 0) return undefined;
  say(`${update.output}${install.output}`);
  return `apt-get could not install ${still.join(' and ')} (see above); try: ${BY_HAND}`;
}

async function missingPackages(/** @type {string} */ root) {
  const missing = [];
  for (const name of NEEDED) {
    const { output } = await run('dpkg', ['-s', name], { cwd: root, quiet: true });
    if (!output.includes('Status: install ok installed')) missing.push(name);
  }
  return missing;
}
