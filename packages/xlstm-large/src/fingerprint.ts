import { encodeFromFloat32 } from '@xlstm/device';
import { elementCount } from '@xlstm/tensor';

/** Of a matrix up to this many elements, such as a gate's, every sign is taken … */
const SMALL = 2 ** 16;
/** … of a larger one, one in this many; more would cost loading time. A prime, so that no column is left out. */
const STRIDE = 31;

/** FNV-1a over 32-bit words, in two lanes with different starts, since one lane of 32 bits collides too easily. */
class Fnv {
  #low = 0x811c9dc5;
  #high = 0x1b873593;

  constructor(hex?: string) {
    if (hex === undefined) return;
    this.#high = Number.parseInt(hex.slice(0, 8), 16);
    this.#low = Number.parseInt(hex.slice(8), 16);
  }

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
 * Tells models apart while their weights stream by: a hash over every tensor's name and shape, of the vectors (norms and
 * biases, which are loaded in float32 whatever the matrices are kept in) every value rounded to bf16, and of the matrices
 * the signs, of large ones a sample. Signs survive every conversion between float dtypes (underflow leaves −0), so a checkpoint has
 * one fingerprint whatever dtype it is loaded in, and so has its copy that was saved in bf16. A copy in fp16 may have
 * another one where the original is float32: rounding twice is not rounding once.
 *
 * The limit: a change of matrices alone that flips none of the signs taken, such as one weight edited by hand or all of
 * them scaled, is not seen. Training flips some: of a matrix of 4096², 541,000 signs are taken.
 */
export class Fingerprint {
  readonly #hash: Fnv;
  #vector = false;
  #stride = STRIDE;
  #bits = 0;
  #count = 0;

  /** @param digest of the tensors before, to go on from between two tensors; none to begin */
  constructor(digest?: string) {
    this.#hash = new Fnv(digest);
  }

  /** Begins a tensor, or names anything else that matters. */
  name(name: string, shape: readonly number[]): void {
    this.#flush();
    this.#hash.text(`${name}[${shape}]`);
    this.#vector = shape.length === 1;
    this.#stride = elementCount(shape) <= SMALL ? 1 : STRIDE;
  }

  /** Takes a piece that starts at `elementOffset` of the current tensor; 16-bit floats come as bits. */
  piece(data: Float32Array | Uint16Array, elementOffset: number): void {
    if (this.#vector && data instanceof Float32Array) {
      for (const half of encodeFromFloat32(data, 'bf16')) this.#hash.word(half);
      return;
    }
    const words = data instanceof Uint16Array ? data : new Uint32Array(data.buffer, data.byteOffset, data.length);
    const sign = data instanceof Uint16Array ? 15 : 31;
    const stride = this.#stride;
    const first = (stride - (elementOffset % stride)) % stride;
    // Locals, since this loop runs for every weight of a model.
    let bits = this.#bits;
    let count = this.#count;
    for (let at = first; at < words.length; at += stride) {
      bits = (bits << 1) | ((words[at]! >>> sign) & 1);
      if (++count === 32) {
        this.#sample(bits, count);
        bits = 0;
        count = 0;
      }
    }
    this.#bits = bits;
    this.#count = count;
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    this.#flush();
    return this.#hash.hex();
  }

  #sample(bits: number, count: number): void {
    this.#hash.word(bits >>> 0);
    this.#hash.word(count);
  }

  #flush(): void {
    if (this.#count > 0) this.#sample(this.#bits, this.#count);
    this.#bits = 0;
    this.#count = 0;
  }
}
