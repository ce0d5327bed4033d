/**
 * The power of two by which `roundToHalf` multiplies a tensor whose largest magnitude has these bits: it brings that to
 * 2¹⁴ … 2¹⁵, as far as float32 has such a power and its inverse.
 */
export function halfScale(maxBits: number): number {
  return 2 ** (Math.min(Math.max(268 - (maxBits >>> 23), 1), 253) - 127);
}
