import { CheckpointError, type Device, ShapeError } from '@xlstm/device';
import type { TrainableParameter } from './parameter.ts';
import { elementCount, Tensor } from './tensor.ts';

/** What a parameter is, before it has a device. */
export interface ParameterShape {
  /** Its published name, as in a checkpoint. */
  name: string;
  shape: readonly number[];
  /** Whether an optimiser's weight decay applies to it. */
  decay: boolean;
}

/**
 * A model's trainable parameters, float32, by name. Gradients are allocated when `list()` is first asked for, so that
 * a model that only runs does not carry them.
 *
 * @example
 * ```ts
 * const parameters = new Parameters(device, [{ name: 'weight', shape: [4, 8], decay: true }])
 * parameters.write('weight', new Float32Array(32))
 * const tape = new Tape(arena, { parameters: parameters.list() })
 * ```
 */
export class Parameters implements Disposable {
  readonly device: Device;
  readonly #plans: readonly ParameterShape[];
  readonly #values = new Map<string, Tensor>();
  #trainable: readonly TrainableParameter[] | undefined;

  /** @throws OutOfMemoryError when the device cannot hold them; then none stays allocated. */
  constructor(device: Device, plans: readonly ParameterShape[]) {
    this.device = device;
    this.#plans = plans;
    try {
      for (const { name, shape } of plans) this.#values.set(name, this.#allocate(name, shape));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Names in the order of the model. */
  get names(): readonly string[] {
    return this.#plans.map(({ name }) => name);
  }

  /** Elements of all parameters together. */
  get count(): number {
    return this.#plans.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  }

  /** The value of that name. @throws CheckpointError when there is none. */
  get(name: string): Tensor {
    const value = this.#values.get(name);
    if (!value) throw new CheckpointError(`parameters: none is called ${name}; there are ${this.names.join(', ')}`);
    return value;
  }

  /** The value of that name, if there is one. */
  find(name: string): Tensor | undefined {
    return this.#values.get(name);
  }

  /** Every parameter with its gradient, for a tape and an optimiser. */
  list(): readonly TrainableParameter[] {
    this.#trainable ??= this.#plans.map(({ name, shape, decay }) => ({
      name,
      value: this.get(name),
      gradient: this.#allocate(`gradient of ${name}`, shape),
      decay,
    }));
    return this.#trainable;
  }

  /** Queues the gradients' return to zero. */
  zeroGradients(): void {
    for (const { gradient } of this.list()) this.device.clear(gradient.buffer);
  }

  /** Replaces one value. @throws ShapeError when the number of elements differs, before anything is changed. */
  write(name: string, data: Float32Array): void {
    const value = this.get(name);
    if (data.length !== value.buffer.length) {
      throw new ShapeError(
        `parameters.write: ${name} [${value.shape}] takes ${value.buffer.length} elements, got ${data.length}`,
      );
    }
    this.device.upload(value.buffer, data);
  }

  /** Waits for the device and returns one value's elements. */
  async read(name: string): Promise<Float32Array> {
    return (await this.device.read(this.get(name).buffer)) as Float32Array;
  }

  dispose(): void {
    for (const { buffer } of this.#values.values()) buffer.dispose();
    for (const { gradient } of this.#trainable ?? []) gradient.buffer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #allocate(label: string, shape: readonly number[]): Tensor {
    return new Tensor(this.device.alloc('fp32', elementCount(shape), { owner: 'parameters', label }), shape);
  }
}
