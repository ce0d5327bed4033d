export { decodeTable, decodeToFloat32, encodeFromFloat32 } from './convert.ts';
export { type Dtype, dtypeBytes, type FloatDtype, isFloatDtype, type NumberArray, newArray } from './dtype.ts';
