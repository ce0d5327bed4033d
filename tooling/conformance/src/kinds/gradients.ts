import type { Device } from '@xlstm/device';
import { Tensor, type TrainableParameter } from '@xlstm/tensor';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { Job } from '../job.ts';
import { measureScaled } from '../measure.ts';
import type { Measurement } from '../record.ts';
import { GRADIENT, INPUT_GATE_BIAS_GRADIENT } from '../tolerances.ts';

/** Uploads a golden tensor of floats. */
export async function uploadFloats(device: Device, tensors: GoldenTensors, name: string): Promise<Tensor> {
  return new Tensor(device.from('fp32', await tensors.floats(name)), tensors.shape(name));
}

/** Uploads rows of token ids as `[B, S]`. */
export function uploadIds(device: Device, rows: readonly (readonly number[])[]): Tensor {
  return new Tensor(device.from('i32', Int32Array.from(rows.flat())), [rows.length, rows[0]?.length ?? 0]);
}

export async function readFloats(device: Device, tensor: Tensor): Promise<Float32Array> {
  return (await device.read(tensor.buffer)) as Float32Array;
}

/** Compares the gradient of the parameter of that name. */
export function measureGradient(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>): Measurement {
  const cancels = /\bigate(_preact)?\.bias$/.test(name);
  return measureScaled(actual, expected, cancels ? INPUT_GATE_BIAS_GRADIENT : GRADIENT);
}

/** Holds the gradients of a model's parameters against `grad.*`. */
export async function reportGradients(
  job: Job,
  device: Device,
  tensors: GoldenTensors,
  parameters: readonly TrainableParameter[],
): Promise<void> {
  for (const { name, gradient } of parameters) {
    const actual = await readFloats(device, gradient);
    job.report(`grad.${name}`, measureGradient(name, actual, await tensors.floats(`grad.${name}`)));
  }
}
