/** How a workgroup's tile of y is cut; all in elements, or numbers of subgroups of 32. */
export interface Tiles {
  m: number;
  n: number;
  k: number;
  subgroupsM: number;
  subgroupsN: number;
  /** Subgroups that share their squares of y and take turns along K. */
  subgroupsK: number;
}

/** The constants that kernel.template.wgsl expects before it. */
export function tileConstants(tiles: Tiles): Record<string, number> {
  return {
    TILE_M: tiles.m,
    TILE_N: tiles.n,
    TILE_K: tiles.k,
    SUBGROUPS_M: tiles.subgroupsM,
    SUBGROUPS_N: tiles.subgroupsN,
    SUBGROUPS_K: tiles.subgroupsK,
  };
}

/** Invocations of a workgroup. */
export function threadsOf({ subgroupsM, subgroupsN, subgroupsK }: Tiles): number {
  return 32 * subgroupsM * subgroupsN * subgroupsK;
}

/** Bytes of workgroup memory, as kernel.template.wgsl declares it. */
export function tileBytes(tiles: Tiles): number {
  const { m, n, k } = tiles;
  const squares = 2 * threadsOf(tiles);
  return 16 * (Math.max((m * k) / 8 + Math.max(m, k), squares) + (n * k) / 8 + Math.max(n, k));
}

/** How often each loop over parts of a tile goes round in one invocation, by the name of its end in kernel.template.wgsl. */
export function loopCounts(tiles: Tiles): Record<string, number> {
  const { m, n, k, subgroupsM, subgroupsN, subgroupsK } = tiles;
  const threads = threadsOf(tiles);
  return {
    A_VECTORS: (m * k) / 8 / threads,
    B_VECTORS: (n * k) / 8 / threads,
    SQUARES_M: m / subgroupsM / 16,
    SQUARES_N: n / subgroupsN / 16,
    DEPTHS: k / subgroupsK / 16,
  };
}
