import type { WebGpuLimits } from '@xlstm/device';

/**
 * Spreads `count` workgroups over x and y, since one dimension ends at 65,535. Kernels find their index as
 * `group.x + group.y * groups.x` and skip those past the end.
 */
export function spread(count: number, limits: WebGpuLimits): readonly [number, number, number] {
  const most = limits.maxWorkgroupsPerDimension;
  if (count <= most) return [count, 1, 1];
  const y = Math.ceil(count / most);
  return [Math.ceil(count / y), y, 1];
}

/**
 * Invocations for a workgroup that has a row to itself: a power of two from 32 to 1,024, as the row and the adapter can
 * use.
 */
export function threadsForRow(length: number, limits: WebGpuLimits): number {
  let threads = 32;
  while (threads < 1024 && threads < length && threads * 2 <= limits.maxInvocationsPerWorkgroup) threads *= 2;
  return threads;
}
