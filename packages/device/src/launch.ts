import type { DeviceBuffer } from './buffer.ts';
import type { Dtype } from './dtypes/index.ts';
import { DeviceError, DtypeError, OptionError, ShapeError } from './errors.ts';
import type { DeviceIdentity } from './identity.ts';
import type { Binding, Kernel, LaunchFacts, ParamType } from './kernel.ts';

/** Buffers and parameters of one launch. Absent optional buffers are left out or `undefined`. */
export interface Launch<Bindings extends Record<string, Binding>, Params extends Record<string, ParamType>> {
  buffers: {
    [K in keyof Bindings]: Bindings[K] extends { optional: true } ? DeviceBuffer | undefined : DeviceBuffer;
  };
  params: Readonly<Record<Extract<keyof Params, string>, number>>;
  /** Asks for one WGSL variant by name instead of the first that fits; tests use it to reach every form. */
  variant?: string;
}

function checkBuffer(
  device: DeviceIdentity,
  kernel: string,
  name: string,
  binding: Binding,
  buffer: DeviceBuffer,
): void {
  buffer.assertLive(`${kernel}.${name}`);
  if (buffer.device !== device) {
    throw new DeviceError(
      `${kernel}: buffer ${name} ("${buffer.label}") belongs to ${buffer.device.name}, the launch is on ${device.name}; copy it through the host first`,
    );
  }
  if (!binding.dtypes.includes(buffer.dtype)) {
    throw new DtypeError(
      `${kernel}: buffer ${name} must be ${binding.dtypes.join(' or ')}, got ${buffer.dtype} ("${buffer.label}"); convert it before the launch`,
    );
  }
}

function checkParam(kernel: string, name: string, type: ParamType, value: number | undefined): void {
  if (value === undefined) throw new OptionError(`${kernel}: parameter ${name} is missing; pass a ${type}`);
  if (type === 'f32') {
    if (Number.isNaN(value)) throw new OptionError(`${kernel}: parameter ${name} must be a number, got NaN`);
    return;
  }
  const [low, high] = type === 'u32' ? [0, 0xffffffff] : [-0x80000000, 0x7fffffff];
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new ShapeError(`${kernel}: parameter ${name} must be an integer in ${low}…${high}, got ${value}`);
  }
}

/**
 * Checks a launch against the kernel's declaration and gathers the facts that backends choose by.
 * Throws before anything is queued: `DisposedError`, `DtypeError`, `DeviceError`, `OptionError`, `ShapeError`.
 */
export function checkLaunch(
  device: DeviceIdentity,
  kernel: Kernel,
  launch: { buffers: Record<string, DeviceBuffer | undefined>; params: Record<string, number> },
): LaunchFacts {
  const dtypes: Record<string, Dtype | undefined> = {};
  const writers = new Map<DeviceBuffer, string>();
  for (const [name, binding] of Object.entries(kernel.bindings)) {
    const buffer = launch.buffers[name];
    if (!buffer) {
      if (!binding.optional) throw new OptionError(`${kernel.id}: buffer ${name} is missing; pass one`);
      dtypes[name] = undefined;
      continue;
    }
    checkBuffer(device, kernel.id, name, binding, buffer);
    dtypes[name] = buffer.dtype;
    if (binding.access !== 'read') writers.set(buffer, name);
  }
  for (const [buffer, writer] of writers) {
    for (const [name, other] of Object.entries(launch.buffers)) {
      if (other === buffer && name !== writer) {
        throw new OptionError(
          `${kernel.id}: buffer "${buffer.label}" is bound as ${writer}, which is written, and as ${name}; bind another buffer`,
        );
      }
    }
  }
  for (const name of Object.keys(launch.buffers)) {
    if (!kernel.bindings[name]) {
      throw new OptionError(
        `${kernel.id}: no buffer is called ${name}; it takes ${Object.keys(kernel.bindings).join(', ')}`,
      );
    }
  }
  for (const [name, type] of Object.entries(kernel.params)) checkParam(kernel.id, name, type, launch.params[name]);
  for (const name in launch.params) {
    if (!kernel.params[name]) {
      throw new OptionError(
        `${kernel.id}: no parameter is called ${name}; it takes ${Object.keys(kernel.params).join(', ') || 'none'}`,
      );
    }
  }
  return { params: launch.params, dtypes };
}

/** Lays the parameters out as the uniform struct that WGSL and CUDA declare: 4 bytes each, in order. */
export function packParams(kernel: Kernel, params: Readonly<Record<string, number>>): Uint32Array<ArrayBuffer> {
  const fields = Object.entries(kernel.params);
  const words = new Uint32Array(Math.max(4, Math.ceil(fields.length / 4) * 4));
  const ints = new Int32Array(words.buffer);
  const floats = new Float32Array(words.buffer);
  fields.forEach(([name, type], index) => {
    const value = params[name]!;
    if (type === 'f32') floats[index] = value;
    else if (type === 'i32') ints[index] = value;
    else words[index] = value;
  });
  return words;
}
