/** One sign in this many elements is taken: enough to tell fine-tunes apart, too few to cost time. A prime. */
const STRIDE = 61;

/** FNV-1a over 32-bit words, in two lanes with different starts, since one lane of 32 bits collides too easily. */
class Fnv {
  #low = 0x811c9dc5;
  #high = 0x1b873593;

  word(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193) >>> 0;
    this.#high = Math.imul(this.#high ^ ((value << 16) | (value >>> 16)), 0x01000193) >>> 0;
  }

  text(text: string): void {
    for (let at = 0; at < text.length; at++) this.word(text.charCodeAt(at));
  }

  hex(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0');
  }
}

/**
 * Tells models apart while their weights stream by: a hash over every tensor's name and shape and the signs of a sample
 * of its elements. Signs survive every conversion between float dtypes, so a model has one fingerprint whatever dtype
 * it is loaded in.
 */
export class Fingerprint {
  readonly #hash = new Fnv();
  #bits = 0;
  #count = 0;

  /** Begins a tensor, or names anything else that matters. */
  name(name: string, shape: readonly number[]): void {
    this.#flush();
    this.#hash.text(`${name}[${shape}]`);
  }

  /** Takes a piece that starts at `elementOffset` of the current tensor; 16-bit floats come as bits. */
  piece(data: Float32Array | Uint16Array, elementOffset: number): void {
    const words = data instanceof Uint16Array ? data : new Uint32Array(data.buffer, data.byteOffset, data.length);
    const sign = data instanceof Uint16Array ? 15 : 31;
    const first = (STRIDE - (elementOffset % STRIDE)) % STRIDE;
    for (let at = first; at < words.length; at += STRIDE) {
      this.#bits = (this.#bits << 1) | ((words[at]! >>> sign) & 1);
      if (++this.#count === 32) this.#flush();
    }
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    this.#flush();
    return this.#hash.hex();
  }

  #flush(): void {
    if (this.#count === 0) return;
    this.#hash.word(this.#bits >>> 0);
    this.#hash.word(this.#count);
    this.#bits = 0;
    this.#count = 0;
  }
}
