import { CheckpointError } from '@xlstm/device';
import { type Checkpoint, streamTensor, type TensorInfo } from '@xlstm/loaders';
import type { WeightSource } from '@xlstm/xlstm-large';

/** Lets a model read its weights from a checkpoint, piece by piece. */
export function checkpointWeights(checkpoint: Checkpoint): WeightSource {
  const find = (name: string): TensorInfo => {
    const info = checkpoint.tensors.get(name);
    if (!info) throw new CheckpointError(`checkpoint: tensor ${name} is missing`);
    return info;
  };
  return {
    shapeOf: (name) => checkpoint.tensors.get(name)?.shape,
    stream: (name, dtype, signal) => streamTensor(find(name), dtype, signal ? { signal } : {}),
  };
}
