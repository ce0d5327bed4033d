import { type Checkpoint, streamQuantized, streamWeight, weightShape } from '@xlstm/loaders';
import type { WeightSource } from '@xlstm/xlstm-large';

/**
 * Lets a model read its weights from a checkpoint, piece by piece: quantised matrices as they are stored where they are wanted
 * so, else multiplied out.
 */
export function checkpointWeights(checkpoint: Checkpoint): WeightSource {
  const { quantization } = checkpoint;
  return {
    shapeOf: (name) => weightShape(checkpoint, name),
    stream: (name, dtype, signal) => streamWeight(checkpoint, name, dtype, signal ? { signal } : {}),
    streamQuantized: (name, dtype, group, signal) => {
      const matrix = quantization?.matrices.get(name);
      if (!matrix || matrix.dtype !== dtype || matrix.group !== group) return undefined;
      return streamQuantized(matrix, signal ? { signal } : {});
    },
    ...(quantization ? { group: quantization.group, fingerprint: quantization.fingerprint } : {}),
  };
}
