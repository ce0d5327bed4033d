import { type DeviceBuffer, GradientError } from '@xlstm/device';
import type { GradientTarget } from '../gradient.ts';
import { addTo } from '../kernels/copy-columns/index.ts';
import { addInPlace } from '../kernels/residual/index.ts';
import type { DifferentiableOperation, OperationGradients, Scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { isWhole, type Value } from './value.ts';

/** An operation on a tape, with the values that its tensors had when it ran. */
export interface TapeNode {
  readonly operation: DifferentiableOperation;
  /** Those of its inputs that are differentiated. */
  readonly inputs: ReadonlyMap<Tensor, Value>;
  readonly outputs: ReadonlyMap<Tensor, Value>;
  /** Buffers kept for its backward. */
  readonly saved: readonly DeviceBuffer[];
}

/** Whether views of one tensor, each of other columns, are all of it together. */
function coverTogether(views: readonly Tensor[]): boolean {
  const [first] = views;
  if (!first) return false;
  const columns = views.reduce((sum, { cols }) => sum + cols, 0);
  const disjoint = new Set(views.map(({ offset }) => offset)).size === views.length;
  return (
    disjoint &&
    views.every(({ rowStride, rows }) => rowStride === columns && rows === first.rows) &&
    first.rows * columns === first.buffer.length
  );
}

/** Whether two tensors may have an element in common; no only where they certainly have none. */
function mayOverlap(a: Tensor, b: Tensor): boolean {
  if (a.buffer !== b.buffer) return false;
  if (a.rowStride !== b.rowStride) return true;
  const apart = (((b.offset - a.offset) % a.rowStride) + a.rowStride) % a.rowStride;
  return apart < a.cols || a.rowStride - apart < b.cols;
}

/** The gradients of one operation while it is differentiated. */
export class NodeGradients implements OperationGradients {
  readonly scope: Scope;
  readonly #name: string;
  readonly #inputs: ReadonlyMap<Tensor, Value>;
  readonly #outputs: ReadonlyMap<Tensor, Value>;
  readonly #handedOut: Tensor[] = [];
  /** Gradients of what is an input twice: kernels write several targets at once, so each needs elements of its own. */
  readonly #ofSecondUses: { gradient: Tensor; sum: Tensor }[] = [];

  constructor(scope: Scope, name: string, inputs: ReadonlyMap<Tensor, Value>, outputs: ReadonlyMap<Tensor, Value>) {
    this.scope = scope;
    this.#name = name;
    this.#inputs = inputs;
    this.#outputs = outputs;
  }

  of(output: Tensor): Tensor | undefined {
    const value = this.#outputs.get(output);
    if (!value)
      throw new GradientError(`${this.#name}: asked for the gradient of a tensor that is none of its outputs`);
    return value.hasGradient ? value.gradientOf(output) : undefined;
  }

  target(input: Tensor | undefined): GradientTarget | undefined {
    return this.targets(input)[0];
  }

  targets<T extends readonly (Tensor | undefined)[]>(...inputs: T): { [K in keyof T]: GradientTarget | undefined } {
    const fresh = new Map<Value, Tensor[]>();
    for (const input of inputs) {
      const value = input && this.#inputs.get(input);
      if (value && !value.hasGradient) fresh.set(value, [...(fresh.get(value) ?? []), input]);
    }
    // What nobody has written yet is replaced where all of it is about to be written, and starts from zero elsewhere.
    const replaced = new Set<Value>();
    for (const [value, views] of fresh) {
      if ((views.length === 1 && isWhole(views[0]!)) || (views.length > 1 && coverTogether(views))) replaced.add(value);
      else this.scope.device.clear(value.gradientOf(views[0]!).buffer);
    }
    const targets = inputs.map((input) => {
      const value = input && this.#inputs.get(input);
      if (!value) return undefined;
      const sum = value.gradientOf(input);
      if (this.#handedOut.some((other) => mayOverlap(other, sum))) {
        const gradient = this.scope.tensor(input.shape, 'fp32', 'gradient of a second use');
        this.#ofSecondUses.push({ gradient, sum });
        return { tensor: gradient, accumulate: false };
      }
      this.#handedOut.push(sum);
      return { tensor: sum, accumulate: !replaced.has(value) };
    });
    return targets as { [K in keyof T]: GradientTarget | undefined };
  }

  /** To be called when the operation has written all of its targets. */
  finish(): void {
    for (const { gradient, sum } of this.#ofSecondUses) addTo(this.scope, sum, gradient);
  }

  share(output: Tensor, input: Tensor | undefined): void {
    const gradient = this.of(output);
    const target = gradient && this.target(input);
    if (!target) return;
    const same = gradient.reshape(target.tensor.shape);
    if (target.accumulate) addInPlace(this.scope, target.tensor, same);
    else this.scope.device.copy(same.buffer, target.tensor.buffer);
  }

  passOn(output: Tensor, input: Tensor | undefined): void {
    const source = this.#outputs.get(output);
    const value = input && this.#inputs.get(input);
    if (source?.hasGradient && value && !value.hasGradient && isWhole(input)) value.takeGradientFrom(source);
    else this.share(output, input);
  }
}
