/** FNV-1a of a text, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value;
}

/**
 * Random numbers of one name under one seed, the same everywhere: what a parameter is filled with does not depend on
 * which parameters were filled before it. The generator is sfc32 (Doty-Humphrey, PractRand).
 */
export class RandomStream {
  readonly #state: Uint32Array;
  #spare: number | undefined;

  constructor(seed: number, name: string) {
    this.#state = Uint32Array.of(hash(name), seed >>> 0, hash(`${name}/${seed}`), 1);
    for (let warmUp = 0; warmUp < 12; warmUp++) this.#next();
  }

  /** In [0, 1), 32 bits. */
  uniform(): number {
    return this.#next() / 2 ** 32;
  }

  /** Mean 0, standard deviation 1 (Box–Muller). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  #next(): number {
    const [a, b, c, counter] = this.#state as unknown as [number, number, number, number];
    const result = (a + b + counter) >>> 0;
    this.#state[0] = b ^ (b >>> 9);
    this.#state[1] = c + (c << 3);
    this.#state[2] = ((c << 21) | (c >>> 11)) + result;
    this.#state[3] = counter + 1;
    return result;
  }
}
