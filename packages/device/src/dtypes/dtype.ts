/** Element types that buffers hold. `fp16` and `bf16` are kept as their 16 bits. */
export type Dtype = 'fp32' | 'fp16' | 'bf16' | 'i32' | 'u32';

/** The dtypes that weights may have. */
export type FloatDtype = 'fp32' | 'fp16' | 'bf16';

/**
 * Dtypes that only weight matrices have: integers of 8 or 4 bits with one fp16 scale for each group of a row
 * (`quantizeRows`). Buffers hold their codes as u32.
 */
export type QuantizedDtype = 'q8' | 'q4';

/** What the matrices of a model may be kept in. */
export type WeightDtype = FloatDtype | QuantizedDtype;

/** The typed array that carries a dtype on the host: 16-bit floats travel as their bits in a Uint16Array. */
export type NumberArray = Float32Array | Uint16Array | Int32Array | Uint32Array;

const BYTES: Readonly<Record<Dtype, number>> = { fp32: 4, fp16: 2, bf16: 2, i32: 4, u32: 4 };

/** Bytes of one element. */
export function dtypeBytes(dtype: Dtype): number {
  return BYTES[dtype];
}

/** Whether a dtype is one of the floating-point ones. */
export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return dtype === 'fp32' || dtype === 'fp16' || dtype === 'bf16';
}

/** A zeroed host array for `length` elements of `dtype`, or a view of `length` elements of `buffer` from `byteOffset`. */
export function newArray(dtype: Dtype, length: number, buffer?: ArrayBufferLike, byteOffset = 0): NumberArray {
  const storage = buffer ?? new ArrayBuffer(length * BYTES[dtype]);
  switch (dtype) {
    case 'fp32':
      return new Float32Array(storage, byteOffset, length);
    case 'i32':
      return new Int32Array(storage, byteOffset, length);
    case 'u32':
      return new Uint32Array(storage, byteOffset, length);
    default:
      return new Uint16Array(storage, byteOffset, length);
  }
}

/** Whether a weight dtype is one of the quantised ones. */
export function isQuantizedDtype(dtype: WeightDtype): dtype is QuantizedDtype {
  return dtype === 'q8' || dtype === 'q4';
}
