import type { WebGpuLimits } from '@xlstm/device';

/**
 * Spreads `count` workgroups over x and y, since one dimension ends at 65,535. Kernels find their index as
 * `group.x + group.y * groups.x` and skip those past the end.
 */
export function spread(count: number, limits: WebGpuLimits): readonly [number, number, number] {
  const rows = Math.max(1, Math.ceil(count / limits.maxWorkgroupsPerDimension));
  return [Math.ceil(count / rows), rows, 1];
}
