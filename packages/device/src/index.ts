export { Arena } from './arena.ts';
export { DeviceBuffer } from './buffer.ts';
export { CpuDevice, createCpuDevice } from './cpu/cpu-device.ts';
export { type AllocOptions, Device, type DeviceInfo } from './device.ts';
export * from './dtypes/index.ts';
export * from './errors.ts';
export type { DeviceIdentity, DeviceKind } from './identity.ts';
export {
  type Binding,
  defineKernel,
  dtypeCode,
  type Kernel,
  type LaunchFacts,
  type ParamType,
  type ReferenceBuffers,
  type ReferenceView,
  type WebGpuLimits,
  type WebGpuNeeds,
  type WebGpuVariant,
  type WeightView,
} from './kernel.ts';
export type { Launch } from './launch.ts';
export type { LiveBuffers } from './ledger.ts';
export type { ProfiledDispatch, Program } from './program.ts';
export {
  DEVICE_CHOICES,
  type DeviceChoice,
  type DeviceReport,
  listDevices,
  type PassedOver,
  type SelectedDevice,
  selectDevice,
} from './select.ts';
export { type AdapterOptions, requestAdapter } from './webgpu/adapter.ts';
export type { LowerLimits } from './webgpu/limits.ts';
export { createWebGpuDevice, WebGpuDevice, type WebGpuDeviceOptions } from './webgpu/webgpu-device.ts';
