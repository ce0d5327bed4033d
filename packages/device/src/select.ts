import { createCpuDevice } from './cpu/cpu-device.ts';
import type { Device, DeviceInfo } from './device.ts';
import { DeviceError, OptionError } from './errors.ts';
import type { DeviceKind } from './identity.ts';
import { createWebGpuDevice, type WebGpuDeviceOptions } from './webgpu/webgpu-device.ts';

/** What `device` options take. */
export type DeviceChoice = 'auto' | DeviceKind;

/** The names that `device` options take. */
export const DEVICE_CHOICES: readonly DeviceChoice[] = ['auto', 'webgpu', 'cpu'];

/** A device that `auto` did not take, and why. */
export interface PassedOver {
  kind: DeviceKind;
  reason: string;
}

/** The device that was taken, and why the better ones were not. */
export interface SelectedDevice {
  device: Device;
  /** One sentence for people. */
  reason: string;
  passedOver: readonly PassedOver[];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Takes the best device (`auto`: webgpu on real hardware, then cpu) or exactly the named one.
 * Nothing falls back silently: a named device that is not there throws with the reason, `auto` reports what it passed over.
 *
 * @throws DeviceError when a named device is not there; OptionError for an unknown name.
 * @example
 * ```ts
 * const { device, reason } = await selectDevice('auto')
 * console.log(reason) // "webgpu: NVIDIA H200" or "cpu, because webgpu: no adapter …"
 * ```
 */
export async function selectDevice(
  choice: DeviceChoice = 'auto',
  options: WebGpuDeviceOptions = {},
): Promise<SelectedDevice> {
  if (choice === 'cpu') return { device: createCpuDevice(), reason: 'cpu, as asked', passedOver: [] };
  if (choice === 'webgpu') {
    const device = await createWebGpuDevice(options);
    return { device, reason: `webgpu (${device.name}), as asked`, passedOver: [] };
  }
  if (choice !== 'auto') {
    throw new OptionError(`device: "${String(choice)}" is not one of ${DEVICE_CHOICES.join(', ')}`);
  }
  let why: string;
  try {
    const device = await createWebGpuDevice(options);
    if (!device.info.software || options.gpuDevice) {
      return { device, reason: `webgpu (${device.name}), the fastest there is`, passedOver: [] };
    }
    why = `the only adapter is the software one "${device.name}", slower than our cpu device; name webgpu to use it`;
    device.dispose();
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    why = messageOf(error).replace(/^webgpu: /, '');
  }
  return {
    device: createCpuDevice(),
    reason: `cpu, because webgpu was passed over: ${why}`,
    passedOver: [{ kind: 'webgpu', reason: why }],
  };
}

/** A line of `listDevices`: what is there, or why it is not. */
export type DeviceReport = { kind: DeviceKind; info: DeviceInfo } | { kind: DeviceKind; absent: string };

/** Every kind of device with its limits and features, or the reason for its absence. */
export async function listDevices(): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  try {
    const device = await createWebGpuDevice();
    reports.push({ kind: 'webgpu', info: device.info });
    device.dispose();
  } catch (error) {
    reports.push({ kind: 'webgpu', absent: messageOf(error) });
  }
  reports.push({ kind: 'cpu', info: createCpuDevice().info });
  return reports;
}
