import { type Dtype, encodeFromFloat32, isFloatDtype, type NumberArray } from '@xlstm/device';

/** Values as the host array of a dtype; integers are truncated. */
export function encodeAs(values: Float32Array, dtype: Dtype): NumberArray {
  if (isFloatDtype(dtype)) return encodeFromFloat32(values, dtype);
  return dtype === 'u32' ? Uint32Array.from(values) : Int32Array.from(values);
}

/** A small seeded generator (mulberry32), so that a failing case can be made again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Integer in [0, below). */
  integer(below: number): number {
    return Math.floor(this.uniform() * below);
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** `length` normal values of mean `mean` and deviation `scale`. */
  normals(length: number, scale = 1, mean = 0): Float32Array {
    return Float32Array.from({ length }, () => mean + scale * this.normal());
  }

  /** A buffer of normal values, encoded as `dtype`. */
  tensor(length: number, dtype: Dtype = 'fp32', scale = 1, mean = 0): { dtype: Dtype; data: NumberArray } {
    const values = this.normals(length, scale, mean);
    return { dtype, data: encodeAs(values, dtype) };
  }
}
