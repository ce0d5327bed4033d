import { type Device, type DeviceBuffer, NumericsError } from '@xlstm/device';
import { clipScaleKernel } from '../kernels/clip-scale/index.ts';
import { squareParts, sumOfSquaresKernel } from '../kernels/sum-of-squares/index.ts';
import type { TrainableParameter } from '../parameter.ts';
import { elementCount } from '../tensor.ts';

/**
 * The name that belongs to the first value that is NaN or infinite; `undefined` when all are finite.
 *
 * @param slots one number a name: a gradient's sum of squares, say
 * @example
 * ```ts
 * firstNonFinite([1, Number.NaN], ['embedding.weight', 'head.weight']) // 'head.weight'
 * ```
 */
export function firstNonFinite(slots: ArrayLike<number>, names: readonly string[]): string | undefined {
  return names.find((_, index) => !Number.isFinite(slots[index]));
}

/** The global norm of the gradients of a list of parameters, on the device. */
export class GradientNorm {
  /** `[2]`: the norm, and the scale that gradients are to be multiplied by, NaN when the norm is not finite. */
  readonly norm: DeviceBuffer;
  readonly #device: Device;
  readonly #parameters: readonly TrainableParameter[];
  readonly #hyper: DeviceBuffer;
  readonly #maxNorm: number;
  readonly #partials: DeviceBuffer;
  readonly #starts: DeviceBuffer;
  readonly #slots: DeviceBuffer;
  readonly #first: Uint32Array;

  /** @param make allocates; its buffers are their maker's to dispose */
  constructor(
    device: Device,
    parameters: readonly TrainableParameter[],
    hyper: DeviceBuffer,
    maxNorm: number,
    make: (dtype: 'fp32' | 'u32', length: number, label: string) => DeviceBuffer,
  ) {
    this.#device = device;
    this.#parameters = parameters;
    this.#hyper = hyper;
    this.#maxNorm = maxNorm;
    this.#first = new Uint32Array(parameters.length + 1);
    for (const [index, { gradient }] of parameters.entries()) {
      this.#first[index + 1] = this.#first[index]! + squareParts(elementCount(gradient.shape));
    }
    this.norm = make('fp32', 2, 'gradient norm');
    this.#partials = make('fp32', this.#first.at(-1)!, 'gradient squares, partial');
    this.#slots = make('fp32', parameters.length, 'gradient squares');
    this.#starts = make('u32', parameters.length + 1, 'gradient squares, where a tensor starts');
    device.upload(this.#starts, this.#first);
  }

  /** Queues the norm and the scale; recordable. */
  queue(): void {
    for (const [index, { gradient }] of this.#parameters.entries()) {
      const first = this.#first[index]!;
      this.#device.launch(sumOfSquaresKernel, {
        buffers: { x: gradient.buffer, partials: this.#partials },
        params: { length: elementCount(gradient.shape), first, parts: this.#first[index + 1]! - first },
      });
    }
    this.#device.launch(clipScaleKernel, {
      buffers: {
        partials: this.#partials,
        starts: this.#starts,
        hyper: this.#hyper,
        slots: this.#slots,
        norm: this.norm,
      },
      params: { P: this.#parameters.length, maxNorm: this.#maxNorm },
    });
  }

  /** Reads the norm that was made last. @throws NumericsError that names the first bad tensor when it is not finite. */
  async read(): Promise<number> {
    const [norm] = await this.#device.read(this.norm, 0, 1);
    if (Number.isFinite(norm)) return norm!;
    const slots = await this.#device.read(this.#slots);
    const bad = firstNonFinite(
      slots,
      this.#parameters.map(({ name }) => name),
    );
    throw new NumericsError(
      bad === undefined
        ? `gradientNorm: the squares of all gradients together exceed float32 (norm ${norm}); the step changed nothing; lower the learning rate or scale the loss`
        : `gradientNorm: the gradient of "${bad}" is not finite (norm ${norm}); the step changed nothing; look at the loss and the inputs of this step`,
    );
  }
}
