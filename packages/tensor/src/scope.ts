import { type Arena, type Device, type DeviceBuffer, DeviceError, type Dtype, OptionError } from '@xlstm/device';
import type { GradientTarget } from './gradient.ts';
import { elementCount, Tensor } from './tensor.ts';

/** What the backward of one operation asks for and hands on. */
export interface OperationGradients {
  /** For the temporaries of the backward, which end with it; nothing in it is remembered. */
  readonly scope: Scope;
  /** The gradient of an output, contiguous, of its shape; `undefined` when the loss does not depend on it. */
  of(output: Tensor): Tensor | undefined;
  /** Where the gradient of an input goes; `undefined` when nobody wants it. Ask once for each input. */
  target(input: Tensor | undefined): GradientTarget | undefined;
  /**
   * Where the gradients of two inputs go that may be columns of one tensor, as `target` for both: neither replaces
   * what the other is about to write.
   */
  targets<T extends readonly (Tensor | undefined)[]>(...inputs: T): { [K in keyof T]: GradientTarget | undefined };
  /** The gradient of `output`, reshaped, is also that of `input` (a sum, a reshape). */
  share(output: Tensor, input: Tensor | undefined): void;
  /** As `share`, for the last use of the output's gradient: it may be handed on without a copy. */
  passOn(output: Tensor, input: Tensor | undefined): void;
}

/** One operation as a tape remembers it. */
export interface DifferentiableOperation {
  /** Named in errors, such as `rmsNorm`. */
  name: string;
  /** Tensors whose gradients the operation can make; weights and views of wider tensors among them. */
  inputs: readonly (Tensor | undefined)[];
  /** Tensors that the scope made for the results. */
  outputs: readonly Tensor[];
  /** What `backward` reads besides gradients: kept until it has run, even when the caller releases it. */
  saved: readonly (Tensor | undefined)[];
  /**
   * Queues the kernels that make the gradients of the inputs from those of the outputs. Runs at most once; not at all
   * when no output has a gradient.
   */
  backward(gradients: OperationGradients): void;
}

/**
 * How products are computed: `fp32`; or `mixed`, on matrix units with operands rounded to fp16 and float32 sums, where
 * the device has them and the shape allows it, else as `fp32`. Everything else is float32 either way.
 */
export type Precision = 'fp32' | 'mixed';

/** Options of a scope. */
export interface ScopeOptions {
  /** Default `fp32`. */
  precision?: Precision;
}

/**
 * Where the temporaries of a computation live. Operations take their outputs from the scope; `release` hands one back
 * early, `dispose` (or `using`) hands back the rest. Behind it, an arena reuses the buffers.
 *
 * A `Tape` is a scope that also remembers: what is computed in it can be differentiated. A plain scope forgets what
 * `record` tells it.
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
  readonly precision: Precision;
  readonly #live = new Set<DeviceBuffer>();

  constructor(arena: Arena, options: ScopeOptions = {}) {
    const { precision = 'fp32' } = options;
    if (precision !== 'fp32' && precision !== 'mixed') {
      throw new OptionError(`Scope: precision must be fp32 or mixed, got ${JSON.stringify(precision)}`);
    }
    this.arena = arena;
    this.precision = precision;
  }

  get device(): Device {
    return this.arena.device;
  }

  /** Whether this scope remembers what is computed in it; then operations keep what their gradients need. */
  get differentiates(): boolean {
    return false;
  }

  /** Whether a gradient for this tensor will be asked for; never in a plain scope. */
  isDifferentiated(_tensor: Tensor): boolean {
    return false;
  }

  /** A tensor with undefined contents. */
  tensor(shape: readonly number[], dtype: Dtype = 'fp32', label = 'temporary'): Tensor {
    const buffer = this.arena.alloc(dtype, elementCount(shape), label);
    this.#live.add(buffer);
    return new Tensor(buffer, shape);
  }

  /**
   * Hands back tensors that are no longer needed; their views die with them.
   *
   * @throws DeviceError for a tensor that is not this scope's, or was released before.
   */
  release(...tensors: Tensor[]): void {
    for (const { buffer } of tensors) {
      this.assertLive('scope.release', buffer);
      this.giveBack(buffer);
    }
  }

  /**
   * A tensor of the same contents that may be written over, for operations that work in place: here `tensor` itself,
   * on a tape that still needs the old contents a copy.
   */
  overwritable(tensor: Tensor): Tensor {
    return tensor;
  }

  /** Tells that an operation was queued, and how its gradients are made. A plain scope does not listen. */
  record(_operation: DifferentiableOperation): void {}

  /** Told by operations that have no gradient; a tape throws when one of `tensors` is being differentiated. */
  refuseGradient(_operation: string, ..._tensors: (Tensor | undefined)[]): void {}

  /** Hands everything back to the arena. */
  dispose(): void {
    for (const buffer of this.#live) this.arena.release(buffer);
    this.#live.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  protected owns(buffer: DeviceBuffer): boolean {
    return this.#live.has(buffer);
  }

  protected assertLive(operation: string, buffer: DeviceBuffer): void {
    if (!this.#live.has(buffer)) {
      throw new DeviceError(`${operation}: "${buffer.label}" is not this scope's, or was released before`);
    }
  }

  protected giveBack(buffer: DeviceBuffer): void {
    if (this.#live.delete(buffer)) this.arena.release(buffer);
  }
}
