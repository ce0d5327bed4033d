import { existsSync, readdirSync } from 'node:fs';
import { createCpuDevice, createWebGpuDevice, type Device, type DeviceKind } from '@xlstm/device';

/** Where Chromium keeps a software Vulkan driver that Dawn accepts: Debian's package, Ubuntu's snap, Google's package. */
const SOFTWARE_DRIVERS = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/snap/chromium/current/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/** Lets Dawn find chromium's software adapter where no Vulkan driver is installed. A driver that was named stays. */
export function offerSoftwareAdapter(): void {
  const { env } = process;
  const software = SOFTWARE_DRIVERS.find((file) => existsSync(file));
  if (env.VK_ICD_FILENAMES || env.VK_DRIVER_FILES || !software) return;
  const drivers = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder) : [],
  );
  if (drivers.some((file) => /nvidia|radeon|intel|amd|asahi|freedreno|panfrost/i.test(file))) return;
  env.VK_ICD_FILENAMES = software;
  env.XDG_RUNTIME_DIR ??= '/tmp';
}

/** A device that tests may use, or why it is not there. */
export type TestDevice = { kind: DeviceKind; device: Device } | { kind: DeviceKind; absent: string };

let found: Promise<TestDevice[]> | undefined;

async function openDevices(): Promise<TestDevice[]> {
  const devices: TestDevice[] = [{ kind: 'cpu', device: createCpuDevice() }];
  offerSoftwareAdapter();
  try {
    devices.push({ kind: 'webgpu', device: await createWebGpuDevice() });
  } catch (error) {
    devices.push({ kind: 'webgpu', absent: error instanceof Error ? error.message : String(error) });
  }
  return devices;
}

/** One device of each kind, opened once per test file. */
export function testDevices(): Promise<TestDevice[]> {
  found ??= openDevices();
  return found;
}

/** Whether `XLSTM_REQUIRE_DEVICES` names a kind, so that its absence is a failure, not a skip. */
export function isRequired(kind: DeviceKind): boolean {
  return (process.env.XLSTM_REQUIRE_DEVICES ?? '').split(',').includes(kind);
}
