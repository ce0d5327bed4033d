export { blobSource } from './byte-source/blob-source.ts';
export type { ByteSource } from './byte-source/byte-source.ts';
export { bytesSource } from './byte-source/bytes-source.ts';
export type { CheckpointFiles } from './checkpoint/checkpoint-files.ts';
export { type Checkpoint, openCheckpoint } from './checkpoint/open-checkpoint.ts';
export { fileSource } from './node/file-source.ts';
export { writeSafetensors } from './node/write-safetensors.ts';
export { encodeSafetensors, type NamedTensor } from './safetensors/encode-safetensors.ts';
export type { SafetensorsHeader, TensorInfo } from './safetensors/header.ts';
export { openSafetensors, readTensorBytes, type SafetensorsFile } from './safetensors/open-safetensors.ts';
export {
  floatDtypeOf,
  isSafetensorsDtype,
  SAFETENSORS_DTYPES,
  type SafetensorsDtype,
  safetensorsDtypeBytes,
} from './safetensors/safetensors-dtype.ts';
export {
  type FloatArray,
  loadTensor,
  type StreamTensorOptions,
  streamTensor,
  type TensorPiece,
} from './tensor-stream/stream-tensor.ts';
