import type { FloatDtype } from '@xlstm/device';
import { type Checkpoint, floatDtypeOf } from '@xlstm/loaders';

/** The dtype that a checkpoint's matrices are stored in; float32 where that is none of ours. */
export function storedDtype(checkpoint: Checkpoint): FloatDtype {
  const { dtype } = checkpoint.tensors.get('backbone.embeddings.weight') ?? {};
  return (dtype && floatDtypeOf(dtype)) ?? 'fp32';
}
