import { type Dtype, type NumberArray, newArray } from '@xlstm/device';
import { encodeAs, Random } from './random.ts';

/** A prime, so that rows do not fall on the same values. */
const PERIOD = 65521;

function repeat<T extends NumberArray>(target: T, tile: T): T {
  for (let at = 0; at < target.length; at += tile.length) {
    target.set(at + tile.length > target.length ? tile.subarray(0, target.length - at) : tile, at);
  }
  return target;
}

/** Made-up data for timing: normal values that repeat, since a matrix of 10⁸ of them would take longer to make than to time. */
export class RepeatedRandom extends Random {
  override normals(length: number, scale = 1, mean = 0): Float32Array {
    return repeat(new Float32Array(length), super.normals(Math.min(length, PERIOD), scale, mean));
  }

  override tensor(length: number, dtype: Dtype = 'fp32', scale = 1, mean = 0): { dtype: Dtype; data: NumberArray } {
    const tile = super.normals(Math.min(length, PERIOD), scale, mean);
    return { dtype, data: repeat(newArray(dtype, length), encodeAs(tile, dtype)) };
  }
}
