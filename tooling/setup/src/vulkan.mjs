// WebGPU on a machine without a GPU: Chromium ships SwiftShader, a Vulkan driver in software, and Dawn can use it.
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** Where Chromium's software driver lies: Debian's package, Ubuntu's snap, Google's own package. */
const SWIFTSHADER = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/snap/chromium/current/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];
const DRIVER_FOLDERS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
const GPU_FILES = ['/dev/dri', '/dev/nvidia0', '/dev/kfd', '/dev/dxg'];

/**
 * @typedef {object} Machine
 * @property {string} platform
 * @property {NodeJS.ProcessEnv} env
 * @property {(path: string) => boolean} exists
 * @property {(path: string) => string[]} list file names in a folder; empty if it is not there
 */

/** @type {Machine} */
const thisMachine = {
  platform: process.platform,
  env: process.env,
  exists: existsSync,
  list: (path) => (existsSync(path) ? readdirSync(path) : []),
};

/**
 * The environment that lets Dawn find the software adapter, or undefined where the user chose a driver, a real one is
 * installed, or Chromium is not.
 * @param {Machine} [machine]
 * @returns {Record<string, string> | undefined}
 */
export function softwareVulkan({ platform, env, exists, list } = thisMachine) {
  const driver = SWIFTSHADER.find((path) => exists(path));
  if (platform !== 'linux' || !driver) return undefined;
  if (env.VK_ICD_FILENAMES || env.VK_DRIVER_FILES) return undefined;
  const hasDriver = DRIVER_FOLDERS.some((folder) => list(folder).some((file) => file.endsWith('.json')));
  if (hasDriver && GPU_FILES.some((path) => exists(path))) return undefined;
  return { VK_ICD_FILENAMES: driver, XDG_RUNTIME_DIR: env.XDG_RUNTIME_DIR ?? tmpdir() };
}
