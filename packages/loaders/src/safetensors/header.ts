import { CheckpointError } from '@xlstm/device';
import type { ByteSource } from '../byte-source/byte-source.ts';
import { quoted } from '../json/quoted.ts';
import { parseStrictJson, type StrictJson } from '../json/strict-json.ts';
import {
  isSafetensorsDtype,
  SAFETENSORS_DTYPES,
  type SafetensorsDtype,
  safetensorsDtypeBytes,
} from './safetensors-dtype.ts';

/** One tensor of a safetensors file: what it is and where its bytes lie; the bytes stay in the file. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** From the start of the file. */
  readonly offset: number;
  readonly source: ByteSource;
}

/** What a header says, every claim checked against the file's size. */
export interface SafetensorsHeader {
  /** In the header's order. */
  readonly tensors: Map<string, TensorInfo>;
  /** `__metadata__`; empty when the file has none. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Parses and checks a header's bytes; tensor data begins at `dataStart` of `source` and must fill it to the end. */
export function parseHeader(header: Uint8Array, dataStart: number, source: ByteSource): SafetensorsHeader {
  const where = `openSafetensors: header of ${source.name}`;
  const root = parseStrictJson(decodeUtf8(header, where), where, { integersOnly: true });
  // The format asks for "{" as the very first byte, which also rules out a byte order mark and leading spaces.
  if (!isObject(root) || header[0] !== 0x7b) {
    throw new CheckpointError(
      `${where}: expected a JSON object from the first byte on, got ${quoted(root)}; this is not a safetensors file`,
    );
  }
  const tensors = new Map<string, TensorInfo>();
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, entry] of root) {
    if (name === '__metadata__') metadata = parseMetadata(entry, where);
    else tensors.set(name, parseEntry(name, entry, dataStart, source, where));
  }
  checkCoverage(tensors, dataStart, source, where);
  return { tensors, metadata };
}

function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new CheckpointError(`${where}: expected UTF-8, got invalid bytes; the file is damaged, fetch it again`, {
      cause: error,
    });
  }
}

function parseMetadata(entry: StrictJson, where: string): ReadonlyMap<string, string> {
  if (!isObject(entry)) {
    throw new CheckpointError(`${where}: __metadata__ must be an object of strings, got ${quoted(entry)}; write it so`);
  }
  for (const [key, value] of entry) {
    if (typeof value !== 'string') {
      throw new CheckpointError(
        `${where}: __metadata__ must map strings to strings, got ${quoted(value)} for ${quoted(key)}; write it as a string`,
      );
    }
  }
  return entry as ReadonlyMap<string, string>;
}

function parseEntry(name: string, entry: StrictJson, dataStart: number, source: ByteSource, where: string): TensorInfo {
  const tensor = `${where}: tensor ${quoted(name)}`;
  if (!isObject(entry)) throw new CheckpointError(`${tensor}: expected an object, got ${quoted(entry)}; ${DAMAGED}`);
  for (const field of ['dtype', 'shape', 'data_offsets']) {
    if (!entry.has(field)) {
      throw new CheckpointError(`${tensor}: expected dtype, shape and data_offsets, got no ${field}; ${DAMAGED}`);
    }
  }
  const dtype = entry.get('dtype');
  if (!isSafetensorsDtype(dtype)) {
    throw new CheckpointError(
      `${tensor}: dtype must be one of ${SAFETENSORS_DTYPES.join(' ')}, got ${quoted(dtype)}; convert the file to one of them`,
    );
  }
  const shape = sizes(entry.get('shape'), `${tensor}: shape`);
  const offsets = sizes(entry.get('data_offsets'), `${tensor}: data_offsets`);
  if (offsets.length !== 2) {
    throw new CheckpointError(`${tensor}: data_offsets must be [begin, end], got ${quoted(offsets)}; ${DAMAGED}`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end) {
    throw new CheckpointError(`${tensor}: data_offsets must not run backwards, got ${quoted(offsets)}; ${DAMAGED}`);
  }
  if (end > source.size - dataStart) {
    throw new CheckpointError(
      `${tensor}: data_offsets must lie within the ${source.size - dataStart} bytes of data, got ${quoted(offsets)}; the file is truncated or hostile, fetch it again`,
    );
  }
  const byteLength = bytesOfShape(shape, dtype, tensor);
  if (end - begin !== byteLength) {
    throw new CheckpointError(
      `${tensor}: ${dtype} of shape ${quoted(shape)} takes ${byteLength} bytes, got data_offsets ${quoted(offsets)}, that is ${end - begin}; ${DAMAGED}`,
    );
  }
  return { name, dtype, shape, byteLength, offset: dataStart + begin, source };
}

const DAMAGED = 'the header is damaged, fetch the file again';

function sizes(value: StrictJson | undefined, what: string): readonly number[] {
  if (!Array.isArray(value)) {
    throw new CheckpointError(`${what} must be an array of integers, got ${quoted(value)}; ${DAMAGED}`);
  }
  for (const size of value) {
    if (typeof size !== 'number' || size < 0) {
      throw new CheckpointError(`${what} must hold integers of 0 or more, got ${quoted(size)}; ${DAMAGED}`);
    }
  }
  return value;
}

function bytesOfShape(shape: readonly number[], dtype: SafetensorsDtype, tensor: string): number {
  let bytes = safetensorsDtypeBytes(dtype);
  for (const size of shape) {
    bytes *= size;
    if (bytes > Number.MAX_SAFE_INTEGER) {
      throw new CheckpointError(`${tensor}: a shape must take less than 2^53 bytes, got ${quoted(shape)}; ${DAMAGED}`);
    }
  }
  return bytes;
}

/** The format demands that tensors cover the data without overlap, hole or rest: no byte has two meanings or none. */
function checkCoverage(
  tensors: ReadonlyMap<string, TensorInfo>,
  dataStart: number,
  source: ByteSource,
  where: string,
): void {
  const inFileOrder = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let covered = dataStart;
  let before = 'the header';
  for (const { name, offset, byteLength } of inFileOrder) {
    if (offset !== covered) {
      const fault = offset < covered ? `overlaps ${before} by` : `leaves a hole after ${before} of`;
      throw new CheckpointError(
        `${where}: tensors must follow each other without overlap or hole, but ${quoted(name)} ${fault} ${Math.abs(offset - covered)} bytes; ${DAMAGED}`,
      );
    }
    covered += byteLength;
    before = quoted(name);
  }
  if (covered !== source.size) {
    throw new CheckpointError(
      `${where}: the file must end where its tensors do, at byte ${covered}, got ${source.size} bytes; the file is oversized, fetch it again`,
    );
  }
}

function isObject(value: StrictJson | undefined): value is ReadonlyMap<string, StrictJson> {
  return value instanceof Map;
}
