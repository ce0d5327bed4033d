import { type Arena, type Device, type DeviceBuffer, DeviceError, type Dtype } from '@xlstm/device';
import { elementCount, Tensor } from './tensor.ts';

/**
 * Where the temporaries of a computation live. Operations take their outputs from the scope; `release` hands one back
 * early, `dispose` (or `using`) hands back the rest. Behind it, an arena reuses the buffers.
 *
 * @example
 * ```ts
 * using arena = new Arena(device)
 * using scope = new Scope(arena)
 * const y = rmsNorm(scope, x, weight, { eps: 1e-6 })
 * ```
 */
export class Scope implements Disposable {
  readonly arena: Arena;
  readonly #live = new Set<DeviceBuffer>();

  constructor(arena: Arena) {
    this.arena = arena;
  }

  get device(): Device {
    return this.arena.device;
  }

  /** A tensor with undefined contents. */
  tensor(shape: readonly number[], dtype: Dtype = 'fp32', label = 'temporary'): Tensor {
    const buffer = this.arena.alloc(dtype, elementCount(shape), label);
    this.#live.add(buffer);
    return new Tensor(buffer, shape);
  }

  /** Hands back tensors that are no longer needed; their views die with them. */
  release(...tensors: Tensor[]): void {
    for (const { buffer } of tensors) {
      if (!this.#live.delete(buffer)) {
        throw new DeviceError(`scope.release: "${buffer.label}" is not this scope's, or was released before`);
      }
      this.arena.release(buffer);
    }
  }

  /** Hands everything back to the arena. */
  dispose(): void {
    for (const buffer of this.#live) this.arena.release(buffer);
    this.#live.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
