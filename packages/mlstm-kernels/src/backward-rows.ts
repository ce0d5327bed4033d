/** Edge of the tiles that the backward kernels take a matrix in; partial sums are kept by tile. */
export const TILE = 64;

/** Tiles along a dimension. */
export function tilesOf(size: number): number {
  return Math.ceil(size / TILE);
}

/** Planes `[B, NH, S]` of what the backward kernels know of each step; `DECAY` is `[B, NH, NC]` and comes last. */
export const LOG_FORGET = 0;
export const LOG_INPUT = 1;
export const STABILIZER = 2;
export const INVERSE = 3;
export const DENOMINATOR = 4;
export const CARRIED = 5;
export const WEIGHT = 6;
export const PULL = 7;
export const STARTS = 8;
export const DECAY = 9;

interface Sizes {
  B: number;
  NH: number;
  S: number;
  L: number;
}

/** Elements of the planes together. */
export function rowsLength({ B, NH, S, L }: Sizes): number {
  return B * NH * (DECAY * S + Math.ceil(S / L));
}

/** Where the first step of a (b, head) lies in a plane. */
export function rowIndex({ B, NH, S }: Omit<Sizes, 'L'>, plane: number, cell: number): number {
  return (plane * B * NH + cell) * S;
}
