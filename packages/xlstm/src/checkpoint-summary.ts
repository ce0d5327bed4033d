import type { WeightDtype } from '@xlstm/device';
import { type Checkpoint, floatDtypeOf } from '@xlstm/loaders';

/** The dtype that a checkpoint's matrices are stored in; float32 where that is none of ours. */
export function storedDtype(checkpoint: Checkpoint): WeightDtype {
  if (checkpoint.quantization) return checkpoint.quantization.dtype;
  const { dtype } = checkpoint.tensors.get('backbone.embeddings.weight') ?? {};
  return (dtype && floatDtypeOf(dtype)) ?? 'fp32';
}
