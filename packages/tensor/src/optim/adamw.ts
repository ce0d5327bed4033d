import { type Device, type DeviceBuffer, DisposedError, OptionError, StateError } from '@xlstm/device';
import { adamwKernel } from '../kernels/adamw/index.ts';
import type { TrainableParameter } from '../parameter.ts';
import { elementCount } from '../tensor.ts';
import { type AdamWOptions, type CheckedAdamWOptions, checkAdamWOptions, checkParameters } from './adamw-options.ts';
import { GradientNorm } from './gradient-norm.ts';

/** What changes from step to step. */
export interface StepOptions {
  /** The learning rate of this step; that of the constructor when absent. */
  lr?: number | undefined;
  /** What all gradients are multiplied by before anything else: 1 / the number of accumulated batches, say. Default 1. */
  gradientScale?: number | undefined;
}

/** An optimiser's state on the host, by parameter name. */
export interface AdamWState {
  /** Steps taken. */
  step: number;
  /** Moving averages of the gradients. */
  firstMoments: ReadonlyMap<string, Float32Array>;
  /** Moving averages of their squares. */
  secondMoments: ReadonlyMap<string, Float32Array>;
}

interface Slot {
  parameter: TrainableParameter;
  length: number;
  first: DeviceBuffer;
  second: DeviceBuffer;
}

/**
 * Adam with decoupled weight decay, in PyTorch's form, with clipping by the global norm (Loshchilov and Hutter,
 * 1711.05101).
 *
 * A step whose gradients are not all finite changes nothing; `gradientNorm` then throws and names the first bad tensor.
 *
 * @example Eager:
 * ```ts
 * optimizer.zeroGradients()
 * backward()
 * optimizer.step({ lr })
 * ```
 * @example Recorded: `queueStep` is part of the program, `advance` comes before each run.
 * ```ts
 * const program = device.record(() => {
 *   optimizer.zeroGradients()
 *   backward()
 *   optimizer.queueStep()
 * })
 * for (const lr of schedule) {
 *   optimizer.advance({ lr })
 *   program.run()
 * }
 * ```
 */
export class AdamW implements Disposable {
  readonly parameters: readonly TrainableParameter[];
  readonly options: CheckedAdamWOptions;
  readonly #device: Device;
  readonly #slots: Slot[] = [];
  /** `[4]`, as the kernel `adamw` takes it. All zeros until the first `advance`: a step then changes nothing. */
  readonly #hyper: DeviceBuffer;
  readonly #norm: GradientNorm;
  readonly #made: DeviceBuffer[] = [];
  #step = 0;
  #disposed = false;

  /**
   * Allocates the moments, zeroed.
   *
   * @param parameters fp32 values and gradients, contiguous, each a buffer of its own; tied weights are listed once
   * @throws OptionError for an option outside its range or a parameter listed twice, ShapeError or DtypeError for tensors
   * that do not fit, OutOfMemoryError when the moments have no room.
   */
  constructor(device: Device, parameters: readonly TrainableParameter[], options: AdamWOptions) {
    this.options = checkAdamWOptions(options);
    checkParameters(device, parameters);
    this.#device = device;
    this.parameters = [...parameters];
    const make = (dtype: 'fp32' | 'u32', length: number, label: string): DeviceBuffer => {
      const buffer = device.alloc(dtype, length, { owner: 'optimizer', label });
      this.#made.push(buffer);
      return buffer;
    };
    try {
      this.#hyper = make('fp32', 4, 'adamw hyper');
      this.#norm = new GradientNorm(device, this.parameters, this.#hyper, this.options.maxGradNorm ?? 0, make);
      for (const parameter of this.parameters) {
        const length = elementCount(parameter.value.shape);
        const first = make('fp32', length, `${parameter.name}, first moment`);
        const second = make('fp32', length, `${parameter.name}, second moment`);
        this.#slots.push({ parameter, length, first, second });
      }
    } catch (error) {
      for (const buffer of this.#made) buffer.dispose();
      throw error;
    }
  }

  /** Steps taken; 0 before the first. */
  get stepCount(): number {
    return this.#step;
  }

  /** Takes one step: `advance` and `queueStep`. @throws OptionError as `advance`. */
  step(options: StepOptions = {}): void {
    this.advance(options);
    this.queueStep();
  }

  /**
   * Counts one step more and uploads its learning rate and bias corrections; `queueStep`, or a program that recorded it,
   * comes next.
   *
   * @throws OptionError when the learning rate or the scale is negative or not finite; nothing is changed then.
   */
  advance({ lr = this.options.lr, gradientScale = 1 }: StepOptions = {}): void {
    this.#assertUsable('advance');
    if (!(Number.isFinite(lr) && lr >= 0)) {
      throw new OptionError(`AdamW: lr must be a finite number from 0, got ${lr}; check the schedule`);
    }
    if (!(Number.isFinite(gradientScale) && gradientScale > 0)) {
      throw new OptionError(`AdamW: gradientScale must be a positive finite number, got ${gradientScale}`);
    }
    const [beta1, beta2] = this.options.betas;
    const next = this.#step + 1;
    this.#device.upload(
      this.#hyper,
      Float32Array.of(lr, 1 / (1 - beta1 ** next), 1 / (1 - beta2 ** next), gradientScale),
    );
    this.#step = next;
  }

  /** Queues the gradients' norm and the update of all parameters; recordable. */
  queueStep(): void {
    this.#assertUsable('queueStep');
    const [beta1, beta2] = this.options.betas;
    const { eps, weightDecay } = this.options;
    this.#norm.queue();
    for (const { parameter, length, first, second } of this.#slots) {
      this.#device.launch(adamwKernel, {
        buffers: {
          parameter: parameter.value.buffer,
          gradient: parameter.gradient.buffer,
          first,
          second,
          hyper: this.#hyper,
          norm: this.#norm.norm,
        },
        params: {
          length,
          beta1,
          beta2,
          gain1: 1 - beta1,
          gain2: 1 - beta2,
          eps,
          weightDecay: parameter.decay ? weightDecay : 0,
        },
      });
    }
  }

  /** Sets all gradients to zero; recordable. */
  zeroGradients(): void {
    this.#assertUsable('zeroGradients');
    for (const { gradient } of this.parameters) this.#device.clear(gradient.buffer);
  }

  /**
   * The global norm of the gradients of the latest step, scaled but not clipped; 0 before the first.
   *
   * @throws NumericsError that names the first tensor whose gradient is not finite; that step changed nothing.
   */
  async gradientNorm(): Promise<number> {
    this.#assertUsable('gradientNorm');
    return this.#norm.read();
  }

  /** The step count and all moments, for a checkpoint. */
  async readState(): Promise<AdamWState> {
    this.#assertUsable('readState');
    const firstMoments = new Map<string, Float32Array>();
    const secondMoments = new Map<string, Float32Array>();
    const step = this.#step;
    for (const { parameter, first, second } of this.#slots) {
      firstMoments.set(parameter.name, (await this.#device.read(first)) as Float32Array);
      secondMoments.set(parameter.name, (await this.#device.read(second)) as Float32Array);
    }
    return { step, firstMoments, secondMoments };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws StateError when the names or lengths are not those of this optimiser's parameters; nothing is changed then.
   */
  writeState({ step, firstMoments, secondMoments }: AdamWState): void {
    this.#assertUsable('writeState');
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new StateError(`AdamW.writeState: step must be a non-negative integer, got ${step}; the state is damaged`);
    }
    for (const [kind, moments] of Object.entries({ firstMoments, secondMoments })) {
      for (const { parameter, length } of this.#slots) {
        const found = moments.get(parameter.name);
        if (!(found instanceof Float32Array) || found.length !== length) {
          throw new StateError(
            `AdamW.writeState: ${kind} of "${parameter.name}" must be a Float32Array of ${length}, got ${found === undefined ? 'none' : `a ${found.constructor.name} of ${found.length}`}; the state is of another model`,
          );
        }
      }
      if (moments.size !== this.#slots.length) {
        const names = new Set(this.parameters.map(({ name }) => name));
        const extra = [...moments.keys()].find((name) => !names.has(name));
        throw new StateError(
          `AdamW.writeState: ${kind} has "${extra}", which is no parameter of this optimiser; the state is of another model`,
        );
      }
    }
    for (const { parameter, first, second } of this.#slots) {
      this.#device.upload(first, firstMoments.get(parameter.name)!);
      this.#device.upload(second, secondMoments.get(parameter.name)!);
    }
    this.#step = step;
  }

  /** Frees the moments; parameters and gradients stay their owners'. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.#made) buffer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #assertUsable(operation: string): void {
    if (this.#disposed) throw new DisposedError(`AdamW.${operation}: the optimiser was disposed; make a new one`);
  }
}
