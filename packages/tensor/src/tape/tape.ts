import {
  type Arena,
  type DeviceBuffer,
  DeviceError,
  DisposedError,
  GradientError,
  OptionError,
  ShapeError,
} from '@xlstm/device';
import { fill } from '../kernels/fill/index.ts';
import type { TrainableParameter } from '../parameter.ts';
import { type DifferentiableOperation, Scope, type ScopeOptions } from '../scope.ts';
import { elementCount, requireContiguous, Tensor } from '../tensor.ts';
import { type Anomaly, AnomalyWatch } from './anomalies.ts';
import { NodeGradients, type TapeNode } from './node-gradients.ts';
import { isWhole, Value } from './value.ts';

/** What a tape differentiates by: a value, and the fp32 tensor, as long as the value's buffer, that its gradient is added to. */
export type Differentiable = Pick<TrainableParameter, 'value' | 'gradient'>;

/** Options of a tape. */
export interface TapeOptions extends ScopeOptions {
  /** Parameters whose gradients are wanted. They are added to: set them to zero before the first step that counts. */
  parameters?: Iterable<Differentiable>;
  /** Whether every result is looked at for NaN and infinity, one more launch for each; see `firstAnomaly`. Default false. */
  detectAnomalies?: boolean;
}

/**
 * Reverse-mode differentiation. A tape is a scope: operations that are given it run as ever and are remembered, with
 * what their gradients need; `loss.backward()` then goes through them from the last to the first and frees as it goes.
 * Everything queued is launches, copies and clears, so a whole training step can be recorded by the device and replayed.
 *
 * A value is differentiated when it was computed from a parameter or a watched tensor. A tape is for one `backward()`.
 *
 * @example
 * ```ts
 * const tape = new Tape(arena, { parameters })
 * const y = linear(tape, x, weight.value)
 * y.backward(dy)            // weight.gradient += dyᵀ x
 * tape.dispose()
 * ```
 */
export class Tape extends Scope {
  readonly #values = new Map<DeviceBuffer, Value>();
  readonly #nodes: TapeNode[] = [];
  /** How many operations still to be differentiated need a buffer's contents. */
  readonly #pins = new Map<DeviceBuffer, number>();
  /** Released by the caller while pinned. */
  readonly #unwanted = new Set<DeviceBuffer>();
  /** Handed back by the caller: their buffers may hold something else by now. */
  readonly #released = new WeakSet<Tensor>();
  readonly #watched = new Map<DeviceBuffer, DeviceBuffer>();
  readonly #parameters: readonly Differentiable[];
  #anomalies: AnomalyWatch | undefined;
  /** What the names of operations start with in anomalies. */
  #within = '';
  /** Of what is computed twice: what its tensors must not be, since their gradients would be lost. */
  #forbidden: ((tensor: Tensor) => boolean) | undefined;
  #finished = false;

  constructor(arena: Arena, options: TapeOptions = {}) {
    super(arena, options);
    this.#parameters = [...(options.parameters ?? [])];
    for (const { value, gradient } of this.#parameters) {
      if (gradient.dtype !== 'fp32' || gradient.buffer.length !== value.buffer.length) {
        throw new ShapeError(
          `Tape: the gradient of "${value.buffer.label}" must be ${value.buffer.length} fp32, got ${gradient.buffer.length} ${gradient.dtype}`,
        );
      }
      this.#values.set(value.buffer, new Value(arena, value.buffer, gradient.buffer));
    }
    if (options.detectAnomalies) this.#anomalies = new AnomalyWatch(arena, this.#parameters);
  }

  override get differentiates(): boolean {
    return true;
  }

  /** Operations remembered so far that `backward()` will go through. */
  get length(): number {
    return this.#nodes.length;
  }

  /**
   * Asks for the gradient of a tensor that is an input of the computation; read it with `gradient` afterwards.
   *
   * @throws GradientError for a parameter or a result of the computation, which would lose its own gradient.
   */
  watch(tensor: Tensor): Tensor {
    this.#assertOpen('watch');
    if (this.#watched.has(tensor.buffer)) return tensor;
    if (this.#values.has(tensor.buffer)) {
      throw new GradientError(
        `watch: "${tensor.buffer.label}" [${tensor.shape}] is a parameter or was computed on this tape; watch inputs, before they are used`,
      );
    }
    const gradient = this.arena.alloc('fp32', tensor.buffer.length, `gradient of ${tensor.buffer.label}`);
    this.device.clear(gradient);
    this.#watched.set(tensor.buffer, gradient);
    this.#values.set(tensor.buffer, new Value(this.arena, tensor.buffer, gradient));
    return tensor;
  }

  /**
   * The gradient of a watched tensor, of its shape; complete once `backward()` was called, until the tape is disposed.
   *
   * @throws GradientError when the tensor is not watched.
   */
  gradient(tensor: Tensor): Tensor {
    const gradient = this.#watched.get(tensor.buffer);
    if (!gradient) throw new GradientError(`gradient: "${tensor.buffer.label}" is not watched; call tape.watch first`);
    return new Tensor(gradient, tensor.shape, tensor.offset, tensor.rowStride);
  }

  override isDifferentiated(tensor: Tensor): boolean {
    return this.#values.has(tensor.buffer);
  }

  override tensor(...wanted: Parameters<Scope['tensor']>): Tensor {
    const tensor = super.tensor(...wanted);
    tensor.tape = this;
    return tensor;
  }

  override release(...tensors: Tensor[]): void {
    for (const tensor of tensors) {
      this.assertLive('tape.release', tensor.buffer);
      if (this.#unwanted.has(tensor.buffer)) {
        throw new DeviceError(`tape.release: "${tensor.buffer.label}" [${tensor.shape}] was released before`);
      }
      this.#handBack(tensor.buffer);
      this.#released.add(tensor.origin);
    }
  }

  override overwritable(tensor: Tensor): Tensor {
    const { buffer } = tensor;
    if (this.owns(buffer) && !this.#pins.has(buffer)) return tensor;
    const copy = this.tensor(tensor.shape, tensor.dtype, buffer.label);
    this.device.copy(buffer, copy.buffer, tensor.offset, 0, elementCount(tensor.shape));
    if (this.owns(buffer)) this.#handBack(buffer);
    return copy;
  }

  override refuseGradient(operation: string, ...tensors: (Tensor | undefined)[]): void {
    for (const tensor of tensors) {
      if (tensor && this.#values.has(tensor.buffer)) {
        throw new GradientError(
          `${operation}: has no gradient, and "${tensor.buffer.label}" [${tensor.shape}] is being differentiated; give it a plain scope, such as new Scope(tape.arena)`,
        );
      }
    }
  }

  override record(operation: DifferentiableOperation): void {
    this.#assertOpen(operation.name);
    const released = operation.inputs.find((input) => input && this.#released.has(input.origin));
    if (released) {
      throw new DeviceError(
        `${operation.name}: "${released.buffer.label}" [${released.shape}] was released before; release it after its last use`,
      );
    }
    const lost = this.#forbidden && operation.inputs.find((input) => input && this.#forbidden!(input));
    if (lost) {
      throw new GradientError(
        `${this.#within}${operation.name}: "${lost.buffer.label}" [${lost.shape}] is being differentiated, but is no input of what is computed twice; pass it to recompute among the inputs`,
      );
    }
    const inputs = this.#valuesOf(operation.inputs);
    this.#anomalies?.add(`${this.#within}${operation.name}`, operation);
    if (inputs.size === 0) {
      for (const { buffer } of operation.outputs) this.#values.delete(buffer);
      return;
    }
    this.#push(operation, inputs);
  }

  /**
   * Computes something now without remembering its inside, and once more when its gradient is asked for: the memory of
   * its intermediate results for the time of computing it twice. Inputs are kept.
   *
   * @param compute makes one tensor from `inputs`, in the scope that it is given; it must queue the same work each time
   * @param advances buffers that `compute` reads and moves on, such as a recurrent state: the second time it starts from
   * what they held the first time, and they end as the first time left them
   * @throws GradientError when `compute` reads what is being differentiated and is neither a parameter nor among `inputs`.
   * @example
   * ```ts
   * x = tape.recompute('block 3', [x], (scope, x) => block.forward(scope, x))
   * ```
   */
  recompute(
    name: string,
    inputs: readonly Tensor[],
    compute: (scope: Scope, ...inputs: Tensor[]) => Tensor,
    advances: readonly DeviceBuffer[] = [],
  ): Tensor {
    this.#assertOpen(name);
    const before = advances.map((buffer) => this.#copyOf(this, buffer));
    const once = new Tape(this.arena, { precision: this.precision });
    once.#anomalies = this.#anomalies;
    once.#within = `${this.#within}${name} / `;
    const allowed = new Set([...inputs, ...this.#parameters.map(({ value }) => value)].map(({ buffer }) => buffer));
    once.#forbidden = (tensor) =>
      !allowed.has(tensor.buffer) && (this.#values.has(tensor.buffer) || (this.#forbidden?.(tensor) ?? false));
    const inside = compute(once, ...inputs);
    // The result moves to this tape; everything else goes back to the arena.
    const output = this.tensor(inside.shape, inside.dtype, name);
    this.device.copy(inside.buffer, output.buffer, inside.offset, 0, elementCount(inside.shape));
    once.#anomalies = undefined;
    once.dispose();
    const backward: DifferentiableOperation['backward'] = (gradients) => {
      const again = new Tape(this.arena, { parameters: this.#parameters, precision: this.precision });
      // Views of one buffer share its gradient.
      for (const input of new Map(inputs.map((each) => [each.buffer, each])).values()) {
        const target = gradients.target(input);
        if (target) again.#addLeaf(input, target.tensor, target.accumulate);
      }
      const after = advances.map((buffer) => this.#copyOf(again, buffer));
      for (const [at, buffer] of advances.entries()) this.device.copy(before[at]!.buffer, buffer);
      const result = compute(again, ...inputs);
      for (const [at, buffer] of advances.entries()) this.device.copy(after[at]!.buffer, buffer);
      if (again.isDifferentiated(result)) result.backward(gradients.of(output));
      again.dispose();
    };
    const values = this.#valuesOf(inputs);
    if (values.size > 0 || this.#parameters.length > 0) {
      this.#push({ name, inputs, outputs: [output], saved: [...inputs, ...before], backward }, values);
    }
    this.release(...before);
    return output;
  }

  /**
   * The first operation whose result was not all finite, in the order of the computation; `undefined` when all were. Waits
   * for the device. Of a tape that was recorded it tells about the latest run, as long as the tape is not disposed.
   *
   * @throws OptionError when the tape was made without `detectAnomalies`, or was disposed.
   * @example
   * ```ts
   * const tape = new Tape(arena, { parameters, detectAnomalies: true })
   * model.loss(tape, tokens, targets).backward()
   * console.log(await tape.firstAnomaly()) // { operation: 'linear', index: 12, output: 0, parameters: ['blocks.1.down'], … }
   * ```
   */
  async firstAnomaly(): Promise<Anomaly | undefined> {
    if (!this.#anomalies) {
      throw new OptionError(
        'firstAnomaly: this tape does not look for anomalies, or was disposed; make it with detectAnomalies: true and ask before dispose()',
      );
    }
    return this.#anomalies.first();
  }

  /**
   * See `Tensor.backward`.
   *
   * @throws GradientError when called twice, or for a tensor that nothing watched led to; ShapeError when `gradient`
   * has another shape or is missing for a tensor of more than one element; DisposedError when something that the gradients
   * need was disposed. No gradient is changed then.
   */
  backward(output: Tensor, gradient?: Tensor): void {
    this.#assertOpen('backward');
    const value = this.#values.get(output.buffer);
    if (!value) {
      throw new GradientError(
        `backward: "${output.buffer.label}" [${output.shape}] does not depend on a parameter or a watched tensor of this tape; give the tape the parameters, or watch an input`,
      );
    }
    if (value.leaf) {
      throw new GradientError(`backward: "${output.buffer.label}" is an input of the computation; call it on a result`);
    }
    if (!isWhole(output)) {
      throw new ShapeError(`backward: needs a whole tensor, got a view of [${output.shape}]; call it on the tensor`);
    }
    if (gradient) requireContiguous('backward', 'gradient', gradient, output.shape);
    else if (elementCount(output.shape) !== 1) {
      throw new ShapeError(`backward: [${output.shape}] is no scalar; pass the gradient to start from`);
    }
    this.#assertUndisposed(gradient);
    this.#finished = true;
    const start = value.gradientOf(output);
    if (gradient) this.device.copy(gradient.buffer, start.buffer, 0, 0, elementCount(output.shape));
    else fill(this, start, 1);
    for (let node = this.#nodes.pop(); node; node = this.#nodes.pop()) this.#differentiate(node);
  }

  override dispose(): void {
    this.#finished = true;
    for (const value of this.#values.values()) value.releaseGradient();
    for (const { inputs, outputs } of this.#nodes) {
      for (const value of [...inputs.values(), ...outputs.values()]) value.releaseGradient();
    }
    for (const gradient of this.#watched.values()) this.arena.release(gradient);
    this.#values.clear();
    this.#nodes.length = 0;
    this.#pins.clear();
    this.#unwanted.clear();
    this.#watched.clear();
    this.#anomalies?.dispose();
    this.#anomalies = undefined;
    super.dispose();
  }

  protected override giveBack(buffer: DeviceBuffer): void {
    this.#values.delete(buffer);
    super.giveBack(buffer);
  }

  /** Remembers an operation, whether or not one of its inputs is differentiated. */
  #push(operation: DifferentiableOperation, inputs: ReadonlyMap<Tensor, Value>): void {
    const outputs = new Map<Tensor, Value>();
    for (const output of operation.outputs) {
      const value = new Value(this.arena, output.buffer);
      this.#values.set(output.buffer, value);
      outputs.set(output, value);
    }
    const saved = operation.saved.flatMap((tensor) => (tensor && this.owns(tensor.buffer) ? [tensor.buffer] : []));
    for (const buffer of saved) this.#pins.set(buffer, (this.#pins.get(buffer) ?? 0) + 1);
    this.#nodes.push({ operation, inputs, outputs, saved });
  }

  #differentiate({ operation, inputs, outputs, saved }: TapeNode): void {
    if ([...outputs.values()].some((value) => value.hasGradient)) {
      const scope = new Scope(this.arena, { precision: this.precision });
      const gradients = new NodeGradients(scope, operation.name, inputs, outputs);
      operation.backward(gradients);
      gradients.finish();
      scope.dispose();
    }
    for (const value of outputs.values()) value.releaseGradient();
    for (const buffer of saved) this.#unpin(buffer);
  }

  /** Gives a buffer back to the arena, or has it given back once no gradient needs it. */
  #handBack(buffer: DeviceBuffer): void {
    if (this.#pins.has(buffer)) this.#unwanted.add(buffer);
    else this.giveBack(buffer);
  }

  #unpin(buffer: DeviceBuffer): void {
    const pins = this.#pins.get(buffer)! - 1;
    if (pins > 0) {
      this.#pins.set(buffer, pins);
      return;
    }
    this.#pins.delete(buffer);
    if (this.#unwanted.delete(buffer)) this.giveBack(buffer);
  }

  #copyOf(scope: Scope, buffer: DeviceBuffer): Tensor {
    const copy = scope.tensor([buffer.length], buffer.dtype, buffer.label);
    this.device.copy(buffer, copy.buffer);
    return copy;
  }

  #addLeaf(input: Tensor, gradient: Tensor, accumulate: boolean): void {
    if (!accumulate) this.device.clear(gradient.buffer);
    this.#values.set(input.buffer, new Value(this.arena, input.buffer, gradient.buffer));
  }

  #valuesOf(tensors: readonly (Tensor | undefined)[]): Map<Tensor, Value> {
    const values = new Map<Tensor, Value>();
    for (const tensor of tensors) {
      const value = tensor && this.#values.get(tensor.buffer);
      if (tensor && value) values.set(tensor, value);
    }
    return values;
  }

  /** Throws a `DisposedError` unless everything that the gradients are made from, and go to, is still there. */
  #assertUndisposed(start: Tensor | undefined): void {
    const requireLive = (tensor: Tensor | undefined, what: string) => {
      if (!tensor?.buffer.disposed) return;
      throw new DisposedError(
        `backward: "${tensor.buffer.label}" [${tensor.shape}], ${what}, was disposed; keep it until backward() was called`,
      );
    };
    requireLive(start, 'the gradient to start from');
    for (const { value, gradient } of this.#parameters) {
      requireLive(value, 'a parameter');
      requireLive(gradient, 'where a gradient goes');
    }
    for (const { operation } of this.#nodes) {
      for (const tensor of operation.saved) requireLive(tensor, `which ${operation.name} needs for its gradients`);
    }
  }

  #assertOpen(operation: string): void {
    if (this.#finished) {
      throw new GradientError(
        `${operation}: backward() was called on this tape before, or it was disposed; make a new Tape for each step`,
      );
    }
  }
}
