import { RandomStream } from './random-stream.ts';

/** Fills a new parameter of `length` elements; `name` and `seed` decide which random numbers it gets. */
export type Initialiser = (length: number, name: string, seed: number) => Float32Array;

/** Every element `value`. */
export function constant(value: number): Initialiser {
  return (length) => new Float32Array(length).fill(value);
}

/** Normally distributed. */
export function normal(std: number, mean = 0): Initialiser {
  return (length, name, seed) => {
    const random = new RandomStream(seed, name);
    return Float32Array.from({ length }, () => mean + std * random.normal());
  };
}

/** Uniform in ± bound. */
export function uniform(bound: number): Initialiser {
  return (length, name, seed) => {
    const random = new RandomStream(seed, name);
    return Float32Array.from({ length }, () => bound * (2 * random.uniform() - 1));
  };
}

/** Small initialisation (Nguyen & Salazar, 1910.05895): normal with the deviation √(2 / (5 · dim)). */
export function smallInit(dim: number): Initialiser {
  return normal(Math.sqrt(2 / (5 * dim)));
}

/** For projections back into the residual stream (Wang, in GPT-NeoX): normal with the deviation 2 / (blocks · √dim). */
export function wangInit(dim: number, numBlocks: number): Initialiser {
  return normal(2 / numBlocks / Math.sqrt(dim));
}

/** Evenly spaced from `start` to `end`; `start` alone for one element. */
export function linspace(start: number, end: number): Initialiser {
  return (length) =>
    Float32Array.from({ length }, (_, at) => (length === 1 ? start : start + ((end - start) * at) / (length - 1)));
}
