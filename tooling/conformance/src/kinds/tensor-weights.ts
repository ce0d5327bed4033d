import { loadTensor, streamTensor, type TensorInfo } from '@xlstm/loaders';
import type { WeightSource } from '@xlstm/xlstm-large';
import type { GoldenTensors } from '../golden-tensors.ts';

const PREFIX = 'param.';

/** The published name of a parameter: the reference calls the embedding by its own name. */
export function publishedName(name: string): string {
  return name === 'embedding.weight' ? 'backbone.embeddings.weight' : name;
}

/** The parameters of a case by their published names. */
export function caseParameters(tensors: GoldenTensors): Map<string, TensorInfo> {
  const parameters = new Map<string, TensorInfo>();
  for (const name of tensors.names) {
    if (!name.startsWith(PREFIX)) continue;
    parameters.set(publishedName(name.slice(PREFIX.length)), tensors.info(name));
  }
  return parameters;
}

/** Lets a model read named tensors as its weights. */
export function tensorWeights(tensors: ReadonlyMap<string, TensorInfo>): WeightSource {
  return {
    shapeOf: (name) => tensors.get(name)?.shape,
    // The model asks for shapes first, so that a tensor it streams is there.
    stream: (name, dtype, signal) => streamTensor(tensors.get(name)!, dtype, signal ? { signal } : {}),
  };
}

/** What distinguishes two sets of tensors, in one sentence; `undefined` when they are equal to the last bit. */
export async function difference(
  actual: ReadonlyMap<string, TensorInfo>,
  expected: ReadonlyMap<string, TensorInfo>,
): Promise<string | undefined> {
  const missing = [...expected.keys()].find((name) => !actual.has(name));
  if (missing !== undefined) return `${missing} is missing`;
  const extra = [...actual.keys()].find((name) => !expected.has(name));
  if (extra !== undefined) return `${extra} is not among the case's parameters`;
  for (const [name, info] of expected) {
    const other = actual.get(name)!;
    if (other.shape.join() !== info.shape.join()) return `${name} is [${other.shape}], expected [${info.shape}]`;
    const [a, b] = [await loadTensor(other, 'fp32'), await loadTensor(info, 'fp32')];
    const at = a.findIndex((value, index) => !Object.is(value, b[index]));
    if (at >= 0) return `${name} differs at element ${at}: ${a[at]} for ${b[at]}`;
  }
  return undefined;
}
