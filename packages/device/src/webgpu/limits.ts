import { DeviceError, OptionError } from '../errors.ts';
import type { WebGpuLimits, WebGpuNeeds } from '../kernel.ts';
import { isSoftwareAdapter, languageFeatures } from './adapter.ts';

/** Features that some kernel form uses; requested where the adapter has them, never required. */
const WANTED_FEATURES: readonly string[] = [
  'shader-f16',
  'subgroups',
  'timestamp-query',
  'chromium-experimental-subgroup-matrix',
];

/** Limits where more is better for us; requested at the adapter's own values. */
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** All limits of a device as plain data. */
export type DeviceLimits = Record<string, number> & Record<(typeof WANTED_LIMITS)[number], number>;

/** The limits that a device may be asked to keep to, by WebGPU's names. */
export type LowerLimits = { readonly [Name in (typeof WANTED_LIMITS)[number]]?: number | undefined };

/** @throws OptionError for names and values that are no limits; DeviceError for more than there is */
export function checkLowerLimits(offered: GPUSupportedLimits, lower: LowerLimits): void {
  for (const [name, value] of Object.entries(lower)) {
    if (!(WANTED_LIMITS as readonly string[]).includes(name)) {
      throw new OptionError(`limits: no limit is called ${name}; those to lower are ${WANTED_LIMITS.join(', ')}`);
    }
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new OptionError(`limits: ${name} must be a positive integer, got ${String(value)}`);
    }
    const most = offered[name as keyof LowerLimits];
    if (value > most) {
      throw new DeviceError(`limits: ${name} is ${value}, this adapter offers ${most}; ask for no more than that`);
    }
  }
}

/** The device descriptor that asks for all an adapter offers of what kernels can use, or for less where that is named. */
export function descriptorFor(adapter: GPUAdapter, lower: LowerLimits = {}): GPUDeviceDescriptor {
  checkLowerLimits(adapter.limits, lower);
  const requiredFeatures = WANTED_FEATURES.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
  const requiredLimits: Record<string, number> = {};
  for (const name of WANTED_LIMITS) requiredLimits[name] = lower[name] ?? adapter.limits[name];
  return { label: 'xlstm', requiredFeatures, requiredLimits };
}

/**
 * A plain copy of a GPUSupportedLimits, whose values are getters on its prototype, no higher than `lower`. WebGPU gives no
 * less than its defaults, but we can keep to less.
 */
export function listLimits(limits: GPUSupportedLimits, lower: LowerLimits = {}): DeviceLimits {
  const found: Record<string, number> = {};
  for (const name in limits) {
    const value = (limits as unknown as Record<string, unknown>)[name];
    if (typeof value === 'number') found[name] = Math.min(value, lower[name as keyof LowerLimits] ?? value);
  }
  return found as DeviceLimits;
}

/** What an adapter says about each kind of matrix that its subgroups multiply; not yet in the types of WebGPU. */
interface SubgroupMatrixConfig {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}

/** Whether subgroups of exactly 32 multiply 16 x 16 matrices of float16 into float32 sums. */
function multipliesMatrices(device: GPUDevice, info: GPUAdapterInfo | undefined): boolean {
  const needed = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];
  if (!needed.every((feature) => device.features.has(feature as GPUFeatureName))) return false;
  if (info?.subgroupMinSize !== 32 || info.subgroupMaxSize !== 32) return false;
  const { subgroupMatrixConfigs = [] } = info as { subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> };
  return [...subgroupMatrixConfigs].some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === 'f16' && resultComponentType === 'f32' && M === 16 && N === 16 && K === 16,
  );
}

/** Vendors whose GPUs lack the instruction, so that compilers write it out. */
const WITHOUT_PACKED_DOT: readonly string[] = ['apple', ''];

function multipliesPackedBytes(info: GPUAdapterInfo | undefined): boolean {
  return languageFeatures().has('packed_4x8_integer_dot_product') && !WITHOUT_PACKED_DOT.includes(info?.vendor ?? '');
}

/**
 * What kernels may choose their constants and grids by.
 *
 * @param info what the adapter says of itself: more, in Dawn, than the device repeats
 */
export function kernelLimits(device: GPUDevice, limits: DeviceLimits, info: GPUAdapterInfo | undefined): WebGpuLimits {
  const subgroups = device.features.has('subgroups');
  return {
    maxInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupStorageBytes: limits.maxComputeWorkgroupStorageSize,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    minSubgroupSize: subgroups ? (info?.subgroupMinSize ?? 4) : 0,
    maxSubgroupSize: subgroups ? (info?.subgroupMaxSize ?? 128) : 0,
    subgroupMatrix: multipliesMatrices(device, info),
    packedDot: multipliesPackedBytes(info),
    software: info ? isSoftwareAdapter(info) : false,
  };
}

/** Whether a device grants what a kernel variant needs. */
export function meetsNeeds(device: GPUDevice, limits: WebGpuLimits, needs: WebGpuNeeds | undefined): boolean {
  if (!needs) return true;
  return (
    (needs.features ?? []).every((feature) => device.features.has(feature)) &&
    (limits.software || !needs.software) &&
    (limits.subgroupMatrix || !needs.subgroupMatrix) &&
    (limits.packedDot || !needs.packedDot) &&
    limits.minSubgroupSize >= (needs.minSubgroupSize ?? 0) &&
    limits.maxInvocationsPerWorkgroup >= (needs.invocationsPerWorkgroup ?? 0) &&
    limits.maxWorkgroupStorageBytes >= (needs.workgroupStorageBytes ?? 0)
  );
}
