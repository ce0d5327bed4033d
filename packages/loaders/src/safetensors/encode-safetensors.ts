import { CheckpointError, DtypeError, ShapeError } from '@xlstm/device';
import { quoted } from '../json/quoted.ts';
import { safetensorsLayout } from './layout.ts';
import { isSafetensorsDtype, type SafetensorsDtype, safetensorsDtypeBytes } from './safetensors-dtype.ts';

/** A tensor to be written: `data` holds its elements in row-major order, little-endian; 16-bit floats as their bits. */
export interface NamedTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** A file in pieces: the header's bytes, then each tensor's own bytes (not copied) in file order. */
export interface SafetensorsPieces {
  readonly byteLength: number;
  readonly pieces: readonly Uint8Array[];
}

/** Lays a file out without joining it. Tensors are ordered as the reference writer orders them, so bytes agree. */
export function safetensorsPieces(
  tensors: readonly NamedTensor[],
  metadata?: Readonly<Record<string, string>>,
): SafetensorsPieces {
  const names = new Set<string>();
  for (const tensor of tensors) {
    checkTensor(tensor);
    if (names.has(tensor.name)) {
      throw new CheckpointError(`encodeSafetensors: names must differ, got ${quoted(tensor.name)} twice; rename one`);
    }
    names.add(tensor.name);
  }
  if (metadata) checkMetadata(metadata);
  const layout = safetensorsLayout(tensors, metadata);
  const bodies = layout.tensors.map(
    ({ tensor: { data } }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  return { byteLength: layout.byteLength, pieces: [layout.header, ...bodies] };
}

/**
 * A safetensors file in memory.
 *
 * @throws CheckpointError for a name that is taken twice, reserved or not valid Unicode; DtypeError for an unknown
 * dtype; ShapeError when a shape and its data disagree.
 * @example
 * const bytes = encodeSafetensors([{ name: 'w', dtype: 'F32', shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) }]);
 */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  options: { readonly metadata?: Readonly<Record<string, string>> } = {},
): Uint8Array<ArrayBuffer> {
  const { byteLength, pieces } = safetensorsPieces(tensors, options.metadata);
  const file = new Uint8Array(byteLength);
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.byteLength;
  }
  return file;
}

function checkTensor({ name, dtype, shape, data }: NamedTensor): void {
  if (name === '__metadata__' || !wellFormed(name)) {
    throw new CheckpointError(
      `encodeSafetensors: a tensor's name must be valid Unicode and not __metadata__, got ${quoted(name)}; rename it`,
    );
  }
  if (!isSafetensorsDtype(dtype)) {
    throw new DtypeError(`encodeSafetensors: tensor ${quoted(name)} has no dtype of the format, got ${quoted(dtype)}`);
  }
  const expected = shape.reduce((product, size) => product * size, safetensorsDtypeBytes(dtype));
  const sound = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!sound || expected !== data.byteLength) {
    throw new ShapeError(
      `encodeSafetensors: tensor ${quoted(name)} is ${dtype} of shape ${quoted([...shape])}, ${expected} bytes, got data of ${data.byteLength} bytes; make them agree`,
    );
  }
}

function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string' || !wellFormed(value) || !wellFormed(key)) {
      throw new CheckpointError(
        `encodeSafetensors: metadata must map strings to strings of valid Unicode, got ${quoted(value)} for ${quoted(key)}; write it as text`,
      );
    }
  }
}

function wellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
