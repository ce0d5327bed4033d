import { type Device, type DeviceBuffer, DeviceError, DtypeError, OptionError, ShapeError } from '@xlstm/device';
import type { TrainableParameter } from '../parameter.ts';
import { elementCount, requireContiguous } from '../tensor.ts';

/** Options of `AdamW`; the defaults are PyTorch's. */
export interface AdamWOptions {
  /** The learning rate, where a step names none. */
  lr: number;
  /** Of the moving averages of the gradient and of its square; 0.9 and 0.999. */
  betas?: readonly [number, number] | undefined;
  /** Added to the root of the second moment; 1e-8. */
  eps?: number | undefined;
  /** Of parameters with `decay`; 0.01. */
  weightDecay?: number | undefined;
  /** Gradients are scaled down to this global norm; not at all when absent. */
  maxGradNorm?: number | undefined;
}

/** Options with their defaults, checked. */
export interface CheckedAdamWOptions {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number | undefined;
}

const NAMES: readonly string[] = ['lr', 'betas', 'eps', 'weightDecay', 'maxGradNorm'] satisfies (keyof AdamWOptions)[];

function requireRange(name: string, value: unknown, good: boolean, expected: string): void {
  if (!good) throw new OptionError(`AdamW: ${name} must be ${expected}, got ${value}`);
}

/** Fills in defaults. @throws OptionError for an unknown option or one outside its range. */
export function checkAdamWOptions(options: AdamWOptions): CheckedAdamWOptions {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError(`AdamW: options must be an object with lr, got ${options}`);
  }
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown) throw new OptionError(`AdamW: no option is called ${unknown}; it takes ${NAMES.join(', ')}`);
  const { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01, maxGradNorm } = options;
  requireRange('lr', lr, Number.isFinite(lr) && lr >= 0, 'a finite number from 0');
  const inRange = betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1);
  requireRange('betas', `[${betas}]`, inRange, 'two numbers in [0, 1)');
  requireRange('eps', eps, Number.isFinite(eps) && eps > 0, 'a positive finite number');
  requireRange('weightDecay', weightDecay, Number.isFinite(weightDecay) && weightDecay >= 0, 'a finite number from 0');
  const clips = maxGradNorm === undefined || (Number.isFinite(maxGradNorm) && maxGradNorm > 0);
  requireRange('maxGradNorm', maxGradNorm, clips, 'a positive finite number; leave it out not to clip');
  return { lr, betas: [betas[0], betas[1]], eps, weightDecay, maxGradNorm };
}

/** @throws OptionError, ShapeError, DtypeError or DeviceError when the list cannot be optimised as it is. */
export function checkParameters(device: Device, parameters: readonly TrainableParameter[]): void {
  if (parameters.length === 0) throw new OptionError('AdamW: there must be at least one parameter, got none');
  const names = new Set<string>();
  const buffers = new Map<DeviceBuffer, string>();
  for (const { name, value, gradient } of parameters) {
    if (names.has(name)) {
      throw new OptionError(`AdamW: "${name}" is listed twice; names must be unique, and tied weights be listed once`);
    }
    names.add(name);
    if (elementCount(value.shape) === 0) {
      throw new ShapeError(`AdamW: "${name}" has no elements, got [${value.shape}]; leave it out`);
    }
    requireContiguous('AdamW', `"${name}"`, value);
    requireContiguous('AdamW', `the gradient of "${name}"`, gradient, value.shape);
    for (const [what, tensor] of [
      [`"${name}"`, value],
      [`the gradient of "${name}"`, gradient],
    ] as const) {
      if (tensor.dtype !== 'fp32') throw new DtypeError(`AdamW: ${what} must be fp32, got ${tensor.dtype}; convert it`);
      if (tensor.buffer.device !== device) {
        throw new DeviceError(`AdamW: ${what} is on ${tensor.buffer.device.name}, the optimiser on ${device.name}`);
      }
      const other = buffers.get(tensor.buffer);
      if (other) throw new OptionError(`AdamW: ${what} has the buffer of ${other}; each must have its own`);
      buffers.set(tensor.buffer, what);
    }
  }
}
