export { decodeTable, decodeToFloat32, encodeFp16Number, encodeFromFloat32 } from './convert.ts';
export {
  type Dtype,
  dtypeBytes,
  type FloatDtype,
  isFloatDtype,
  isQuantizedDtype,
  type NumberArray,
  newArray,
  type QuantizedDtype,
  type WeightDtype,
} from './dtype.ts';
export {
  DEFAULT_QUANTIZATION_GROUP,
  dequantizeRows,
  isQuantizable,
  QUANTIZATION_GROUPS,
  type QuantizationGroup,
  type QuantizedRows,
  quantizedBits,
  quantizedLengths,
  quantizeRows,
} from './quantize.ts';
