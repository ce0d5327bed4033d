import { DtypeError } from '@xlstm/device';
import { elementCount } from '@xlstm/tensor';
import type { XLSTMLarge } from './model.ts';
import { parameterTable } from './parameters.ts';

/** A tensor on the host under its published name, in the form that safetensors files take. */
export interface WeightTensor {
  readonly name: string;
  readonly dtype: 'F32';
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Reads a model's weights back from its device, tensor by tensor, under their published names.
 *
 * @param options.weightMode `single` (default): one tensor for each projection, as published checkpoints have them;
 * `fused`: those of one input stacked, the reference's `weight_mode: fused`
 * @throws DtypeError unless the weights are fp32.
 * @example
 * ```ts
 * for await (const { name, data } of readWeights(model)) console.log(name, data.length)
 * ```
 */
export async function* readWeights(
  model: XLSTMLarge,
  options: { weightMode?: 'single' | 'fused' } = {},
): AsyncGenerator<WeightTensor> {
  if (model.dtype !== 'fp32') {
    throw new DtypeError(`readWeights: the weights are ${model.dtype}; load the model with dtype fp32`);
  }
  const fused = options.weightMode === 'fused';
  const table = parameterTable(model.config, model.dims, { projections: fused, gateUp: fused });
  for (const { name, shape, parameter, row } of table.tensors) {
    const { buffer } = model.weights.get(parameter);
    const data = await model.device.read(buffer, row * (shape[1] ?? 1), elementCount(shape));
    yield { name, dtype: 'F32', shape, data: data as Float32Array };
  }
}
