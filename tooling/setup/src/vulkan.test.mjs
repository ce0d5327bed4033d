import { describe, expect, it } from 'vitest';
import { softwareVulkan } from './vulkan.mjs';

const chromium = '/usr/lib/chromium/vk_swiftshader_icd.json';
const machine = (
  /** @type {{ files?: string[], env?: NodeJS.ProcessEnv, platform?: string, drivers?: string[] }} */ m,
) => ({
  platform: m.platform ?? 'linux',
  env: m.env ?? {},
  exists: (/** @type {string} */ path) => [chromium, ...(m.files ?? [])].includes(path),
  list: (/** @type {string} */ path) => (path === '/usr/share/vulkan/icd.d' ? (m.drivers ?? []) : []),
});

describe('softwareVulkan', () => {
  it('names SwiftShader where there is no other driver', () => {
    expect(softwareVulkan(machine({}))?.VK_ICD_FILENAMES).toBe(chromium);
    expect(softwareVulkan(machine({ drivers: ['lvp_icd.x86_64.json'] }))?.VK_ICD_FILENAMES).toBe(chromium);
  });

  it.each([
    '/snap/chromium/current/usr/lib/chromium-browser/vk_swiftshader_icd.json',
    '/opt/google/chrome/vk_swiftshader_icd.json',
  ])('finds %s', (driver) => {
    const found = softwareVulkan({ ...machine({}), exists: (path) => path === driver });
    expect(found?.VK_ICD_FILENAMES).toBe(driver);
  });

  it('keeps the runtime folder that is set', () => {
    expect(softwareVulkan(machine({ env: { XDG_RUNTIME_DIR: '/run/user/1' } }))?.XDG_RUNTIME_DIR).toBe('/run/user/1');
    expect(softwareVulkan(machine({}))?.XDG_RUNTIME_DIR).toBeTruthy();
  });

  it.each([
    ['the user chose a driver', { env: { VK_ICD_FILENAMES: '/x.json' } }],
    ['the user chose a driver by its newer name', { env: { VK_DRIVER_FILES: '/x.json' } }],
    ['a GPU has its driver', { drivers: ['nvidia_icd.json'], files: ['/dev/nvidia0'] }],
    ['the platform needs no Vulkan', { platform: 'darwin' }],
  ])('stays out when %s', (_, m) => {
    expect(softwareVulkan(machine(m))).toBeUndefined();
  });

  it('stays out without Chromium', () => {
    expect(softwareVulkan({ ...machine({}), exists: () => false })).toBeUndefined();
  });
});
