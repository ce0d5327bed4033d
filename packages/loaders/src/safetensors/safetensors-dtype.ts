import type { FloatDtype } from '@xlstm/device/dtypes';

const BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** The element types of the safetensors format, as its headers spell them (those of whole bytes). */
export type SafetensorsDtype = keyof typeof BYTES;

/** Every dtype that the reader knows. */
export const SAFETENSORS_DTYPES: readonly SafetensorsDtype[] = Object.keys(BYTES) as SafetensorsDtype[];

/** Whether `value` is the name of a dtype of the format. */
export function isSafetensorsDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(BYTES, value);
}

/** Bytes of one element. */
export function safetensorsDtypeBytes(dtype: SafetensorsDtype): number {
  return BYTES[dtype];
}

/** The dtype that holds the same bits on the host, or undefined for those that weights are not computed in. */
export function floatDtypeOf(dtype: SafetensorsDtype): FloatDtype | undefined {
  if (dtype === 'F32') return 'fp32';
  if (dtype === 'F16') return 'fp16';
  return dtype === 'BF16' ? 'bf16' : undefined;
}
