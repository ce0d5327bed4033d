export { blobSource } from './byte-source/blob-source.ts';
export type { ByteSource } from './byte-source/byte-source.ts';
export { bytesSource } from './byte-source/bytes-source.ts';
export { type HttpSourceOptions, httpSource } from './byte-source/http-source.ts';
export type { CheckpointFiles } from './checkpoint/checkpoint-files.ts';
export { estimateMemory, type MemoryEstimate } from './checkpoint/estimate-memory.ts';
export { type Checkpoint, openCheckpoint } from './checkpoint/open-checkpoint.ts';
export type { HubOptions } from './hub/hub-settings.ts';
export { type CacheOptions, clearCache, isCached } from './hub/manage-cache.ts';
export type { OnTransferProgress, TransferProgress } from './hub/progress.ts';
export { type ResolvedModel, type ResolveModelOptions, resolveModel } from './hub/resolve-model.ts';
export { fileSource } from './node/file-source.ts';
export { makeFolder } from './node/make-folder.ts';
export { type FinishedFile, SafetensorsWriter } from './node/safetensors-writer.ts';
export { writeSafetensors } from './node/write-safetensors.ts';
export { type ConvertedPiece, convertedPieces, convertedTensors } from './quantization/convert-weights.ts';
export {
  parseQuantization,
  type QuantizationBlock,
  quantizationJson,
} from './quantization/quantization-block.ts';
export type { Quantization, QuantizedMatrix } from './quantization/quantized-matrices.ts';
export { isScales } from './quantization/quantized-matrices.ts';
export { keptBytes, keptDtype, scaleName } from './quantization/stored-dtype.ts';
export {
  type QuantizedPiece,
  type StoredWeights,
  streamQuantized,
  streamWeight,
  weightShape,
} from './quantization/stream-weights.ts';
export { encodeSafetensors, type NamedTensor } from './safetensors/encode-safetensors.ts';
export type { SafetensorsHeader, TensorInfo } from './safetensors/header.ts';
export { planBytes, type SafetensorsLayout, safetensorsLayout, type TensorPlan } from './safetensors/layout.ts';
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
export type { RetryOptions } from './transfer/retry.ts';
export { TransferError, type TransferErrorCode } from './transfer/transfer-error.ts';
