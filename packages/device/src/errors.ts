/**
 * The one hierarchy of errors in all xLSTM packages. A message names the operation, what was expected, what came,
 * and what to do: `mlstmStep: q must be [B, NH, 1, DHQK], got [2, 3]; pass one step of queries`.
 */
export class XlstmError extends Error {
  override name = 'XlstmError';
}

/** Shapes or lengths that do not fit an operation or each other. */
export class ShapeError extends XlstmError {
  override name = 'ShapeError';
}

/** A dtype that an operation does not take. */
export class DtypeError extends XlstmError {
  override name = 'DtypeError';
}

/** An option or argument outside its range, or one that does not exist. */
export class OptionError extends XlstmError {
  override name = 'OptionError';
}

/** A model configuration that is malformed or not supported. */
export class ConfigError extends XlstmError {
  override name = 'ConfigError';
}

/** A checkpoint, safetensors file or index that is damaged, incomplete or hostile. */
export class CheckpointError extends XlstmError {
  override name = 'CheckpointError';
}

/** NaN or infinity where numbers are needed: a gradient, a loss. */
export class NumericsError extends XlstmError {
  override name = 'NumericsError';
}

/** A saved state that is damaged, or of another model or version. */
export class StateError extends XlstmError {
  override name = 'StateError';
}

/** A tokenizer file that cannot be used, or ids that it does not have. */
export class TokenizerError extends XlstmError {
  override name = 'TokenizerError';
}

/** A gradient that cannot be made: an operation without one, a second `backward()`, a tensor that is on no tape. */
export class GradientError extends XlstmError {
  override name = 'GradientError';
}

/** A device that is not there, lacks a feature or limit, or refused an operation. */
export class DeviceError extends XlstmError {
  override name = 'DeviceError';
}

/** The device ran out of memory, or an allocation exceeds its limits. */
export class OutOfMemoryError extends DeviceError {
  override name = 'OutOfMemoryError';
}

/** The device was lost (driver reset, tab in background, destroyed by its owner). Every pending and later call throws it. */
export class DeviceLostError extends DeviceError {
  override name = 'DeviceLostError';
}

/** Use of something after `dispose()`. */
export class DisposedError extends XlstmError {
  override name = 'DisposedError';
}
