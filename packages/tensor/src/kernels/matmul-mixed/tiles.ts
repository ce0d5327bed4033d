/** How a workgroup's tile of y is cut; all in elements, or numbers of subgroups of 32. */
export interface Tiles {
  m: number;
  n: number;
  k: number;
  subgroupsM: number;
  subgroupsN: number;
  /** Subgroups that share their squares of y and take turns along K. */
  subgroupsK: number;
  /** 2: a tile is filled while the other is read, with one barrier a step; 1: less workgroup memory, two barriers. */
  stages: 1 | 2;
}

/** The constants that kernel.wgsl expects before it. */
export function tileConstants(tiles: Tiles): Record<string, number> {
  return {
    TILE_M: tiles.m,
    TILE_N: tiles.n,
    TILE_K: tiles.k,
    SUBGROUPS_M: tiles.subgroupsM,
    SUBGROUPS_N: tiles.subgroupsN,
    SUBGROUPS_K: tiles.subgroupsK,
    STAGES: tiles.stages,
  };
}

/** Invocations of a workgroup. */
export function threadsOf({ subgroupsM, subgroupsN, subgroupsK }: Tiles): number {
  return 32 * subgroupsM * subgroupsN * subgroupsK;
}

/** Bytes of workgroup memory, as kernel.wgsl declares it. */
export function tileBytes({ m, n, k, stages }: Tiles): number {
  return 16 * stages * ((m * k) / 8 + Math.max(m, k) + (n * k) / 8 + Math.max(n, k));
}
