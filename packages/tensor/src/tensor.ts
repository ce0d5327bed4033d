import { type DeviceBuffer, type Dtype, dtypeBytes, GradientError, ShapeError } from '@xlstm/device';

/** The number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** What `tensor.backward()` calls: the tape that a tensor was computed on. */
export interface Differentiator {
  backward(output: Tensor, gradient?: Tensor): void;
}

/**
 * A shape over a device buffer, row-major. Rows (everything but the last dimension) may be `rowStride` elements apart,
 * so that `columns()` gives a part of a fused projection without copying it. A tensor does not own its buffer:
 * whoever allocated it (a `Scope`, the weights, a state) disposes it.
 */
export class Tensor {
  readonly buffer: DeviceBuffer;
  readonly shape: readonly number[];
  /** First element in the buffer. */
  readonly offset: number;
  /** Elements from one row to the next; the last dimension when contiguous. */
  readonly rowStride: number;
  /** Set by a tape on what it makes. */
  tape: Differentiator | undefined;
  #origin: Tensor | undefined;

  constructor(buffer: DeviceBuffer, shape: readonly number[], offset = 0, rowStride: number = shape.at(-1) ?? 1) {
    this.buffer = buffer;
    this.shape = shape;
    this.offset = offset;
    this.rowStride = rowStride;
    const last = this.rows === 0 ? 0 : offset + (this.rows - 1) * rowStride + this.cols;
    if (last > buffer.length) {
      throw new ShapeError(
        `Tensor: shape [${shape}] from element ${offset} with row stride ${rowStride} needs ${last} elements, buffer "${buffer.label}" has ${buffer.length}`,
      );
    }
  }

  /** The tensor that this is a view of, or itself. */
  get origin(): Tensor {
    return this.#origin ?? this;
  }

  get dtype(): Dtype {
    return this.buffer.dtype;
  }

  /** Size of the last dimension. */
  get cols(): number {
    return this.shape.at(-1) ?? 1;
  }

  /** Product of all dimensions but the last. */
  get rows(): number {
    return elementCount(this.shape.slice(0, -1));
  }

  get byteLength(): number {
    return elementCount(this.shape) * dtypeBytes(this.dtype);
  }

  /** Whether the tensor is its whole buffer's beginning, with rows one after another. */
  get contiguous(): boolean {
    return this.offset === 0 && (this.rowStride === this.cols || this.rows <= 1);
  }

  /**
   * Queues the gradients of this tensor with respect to everything watched on the tape that it was computed on.
   *
   * @param gradient what to start from, of this shape; 1 by default, which only a tensor of one element may leave out
   * @throws GradientError when the tensor was not computed on a tape, or `backward()` was called before.
   * @example
   * ```ts
   * const loss = model.loss(tape, tokens, targets)
   * loss.backward()
   * ```
   */
  backward(gradient?: Tensor): void {
    if (!this.tape) {
      throw new GradientError(
        `backward: "${this.buffer.label}" [${this.shape}] was not computed on a tape; pass a Tape where the operations take a scope`,
      );
    }
    this.tape.backward(this, gradient);
  }

  /** A view of `length` columns of the last dimension from `start`; shape `[..., length]`. */
  columns(start: number, length: number): Tensor {
    if (start < 0 || length < 0 || start + length > this.cols) {
      throw new ShapeError(`columns: ${start}…${start + length} are outside the last dimension of [${this.shape}]`);
    }
    return this.#view(
      new Tensor(this.buffer, [...this.shape.slice(0, -1), length], this.offset + start, this.rowStride),
    );
  }

  /** The same elements under another shape; the tensor must be contiguous. */
  reshape(shape: readonly number[]): Tensor {
    if (!this.contiguous || elementCount(shape) !== elementCount(this.shape)) {
      throw new ShapeError(
        `reshape: [${this.shape}] (${this.contiguous ? 'contiguous' : 'a view'}) cannot become [${shape}]; the counts must agree and the tensor be contiguous`,
      );
    }
    return this.#view(new Tensor(this.buffer, shape));
  }

  #view(view: Tensor): Tensor {
    view.tape = this.tape;
    view.#origin = this.origin;
    return view;
  }
}

/** Throws a `ShapeError` unless `tensor` has exactly that shape; it may be a view. */
export function requireShape(operation: string, name: string, tensor: Tensor, shape: readonly number[]): void {
  if (shape.length !== tensor.shape.length || shape.some((size, axis) => size !== tensor.shape[axis])) {
    throw new ShapeError(`${operation}: ${name} must be [${shape}], got [${tensor.shape}]`);
  }
}

/** Throws a `ShapeError` unless `tensor` is contiguous and, where `shape` is given, has exactly that shape. */
export function requireContiguous(operation: string, name: string, tensor: Tensor, shape?: readonly number[]): void {
  if (shape) requireShape(operation, name, tensor, shape);
  if (!tensor.contiguous) {
    throw new ShapeError(`${operation}: ${name} must be contiguous, got a view of [${tensor.shape}]; copy it first`);
  }
}
