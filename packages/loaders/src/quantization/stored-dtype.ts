import {
  DEFAULT_QUANTIZATION_GROUP,
  type FloatDtype,
  isQuantizable,
  type QuantizedDtype,
  type WeightDtype,
} from '@xlstm/device/dtypes';

/** The embedding, which is often the head as well. */
const EMBEDDING = 'backbone.embeddings.weight';
/** Input and forget gates, in either weight mode. */
const GATES = /[if]gate_preact\./;
/** What a matrix is kept in whose rows are no whole groups. */
const UNQUANTIZABLE_DTYPE: FloatDtype = 'bf16';

/** The name of the tensor of scales that goes with a matrix of codes, such as `lm_head.weight_scale`. */
export function scaleName(name: string): string {
  return `${name}_scale`;
}

/**
 * What a model's tensor is kept in where its matrices are kept in `dtype`: norms, biases and the input and forget gates in
 * float32; with `q4` the embedding in q8; with `q8` and `q4` a matrix whose rows are no whole groups in bf16.
 */
export function keptDtype(
  name: string,
  shape: readonly number[],
  dtype: WeightDtype,
  group: number = DEFAULT_QUANTIZATION_GROUP,
): WeightDtype {
  if (shape.length < 2 || GATES.test(name)) return 'fp32';
  if (dtype !== 'q8' && dtype !== 'q4') return dtype;
  if (shape.length !== 2 || !isQuantizable(shape[1]!, group)) return UNQUANTIZABLE_DTYPE;
  return name === EMBEDDING ? 'q8' : dtype;
}

/** Bytes of a tensor in a dtype, scales included. */
export function keptBytes(elements: number, dtype: WeightDtype, group: number = DEFAULT_QUANTIZATION_GROUP): number {
  if (dtype === 'fp32') return elements * 4;
  if (dtype === 'bf16' || dtype === 'fp16') return elements * 2;
  return codeBytes(elements, dtype) + (elements / group) * 2;
}

/** Bytes of codes. */
export function codeBytes(elements: number, dtype: QuantizedDtype): number {
  return dtype === 'q8' ? elements : elements / 2;
}
