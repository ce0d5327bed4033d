import type { Arena, DeviceBuffer } from '@xlstm/device';
import { elementCount, Tensor } from '../tensor.ts';

/** Whether a tensor is all of its buffer, so that whoever writes it leaves nothing undefined. */
export function isWhole(tensor: Tensor): boolean {
  return tensor.contiguous && elementCount(tensor.shape) === tensor.buffer.length;
}

/**
 * What a tape follows: the contents of a buffer from the operation that made them until another one replaces them.
 * Views of the buffer share the value. Its gradient has the buffer's length, so that a view's gradient is the same view
 * of the gradient.
 */
export class Value {
  readonly #arena: Arena;
  readonly #length: number;
  readonly #label: string;
  /** Whether the gradient outlives the tape's backward: a parameter's, or that of a watched tensor. */
  readonly leaf: boolean;
  #gradient: DeviceBuffer | undefined;

  constructor(arena: Arena, buffer: DeviceBuffer, leafGradient?: DeviceBuffer) {
    this.#arena = arena;
    this.#length = buffer.length;
    this.#label = buffer.label;
    this.leaf = leafGradient !== undefined;
    this.#gradient = leafGradient;
  }

  get hasGradient(): boolean {
    return this.#gradient !== undefined;
  }

  /** The gradient as a view like `tensor`; contents are undefined when it is new. */
  gradientOf(tensor: Tensor): Tensor {
    this.#gradient ??= this.#arena.alloc('fp32', this.#length, `gradient of ${this.#label}`);
    return new Tensor(this.#gradient, tensor.shape, tensor.offset, tensor.rowStride);
  }

  /** Takes over the gradient of a value that is done with it. */
  takeGradientFrom(other: Value): void {
    this.#gradient = other.#gradient;
    other.#gradient = undefined;
  }

  /** Hands the gradient back to the arena; a leaf keeps its own. */
  releaseGradient(): void {
    if (this.leaf || !this.#gradient) return;
    this.#arena.release(this.#gradient);
    this.#gradient = undefined;
  }
}
