import { type Checkpoint, streamWeight, weightShape } from '@xlstm/loaders';
import type { WeightSource } from '@xlstm/xlstm-large';

/** Lets a model read its weights from a checkpoint, piece by piece; quantised matrices are multiplied out. */
export function checkpointWeights(checkpoint: Checkpoint): WeightSource {
  return {
    shapeOf: (name) => weightShape(checkpoint, name),
    stream: (name, dtype, signal) => streamWeight(checkpoint, name, dtype, signal ? { signal } : {}),
  };
}
