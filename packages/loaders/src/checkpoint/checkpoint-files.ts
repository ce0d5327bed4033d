import { CheckpointError, DisposedError } from '@xlstm/device';
import type { ByteSource } from '../byte-source/byte-source.ts';
import { quoted } from '../json/quoted.ts';

/** The files of one checkpoint, wherever they are: the seam between layouts and folders, picked files or downloads. */
export interface CheckpointFiles {
  /** For messages, such as the folder's path. */
  readonly place: string;
  /** Plain file names. */
  readonly names: readonly string[];
  /** Opens one of `names`; asking again gives the same source. */
  open(name: string): Promise<ByteSource>;
  /** Closes what `open` opened. */
  close(): Promise<void>;
}

/** Sources that the caller opened and will close. */
export function lentFiles(sources: readonly ByteSource[]): CheckpointFiles {
  const byName = new Map<string, ByteSource>();
  for (const source of sources) {
    if (byName.has(source.name)) {
      throw new CheckpointError(
        `openCheckpoint: sources must have different names, got ${quoted(source.name)} twice; pass one checkpoint's files`,
      );
    }
    byName.set(source.name, source);
  }
  return {
    place: 'the given sources',
    names: [...byName.keys()],
    async open(name) {
      return byName.get(name) ?? missing(name, this);
    },
    async close() {},
  };
}

/** Files opened by name when they are first needed, and all closed together. */
export function ownedFiles(
  place: string,
  names: readonly string[],
  openSource: (name: string) => Promise<ByteSource>,
): CheckpointFiles {
  const opened = new Map<string, Promise<ByteSource>>();
  let closed = false;
  return {
    place,
    names,
    async open(name) {
      if (closed) throw new DisposedError(`openCheckpoint: ${place} was closed; open it again to read ${name}`);
      if (!names.includes(name)) missing(name, this);
      const source = opened.get(name) ?? openSource(name);
      opened.set(name, source);
      return source;
    },
    async close() {
      closed = true;
      const settled = await Promise.allSettled(opened.values());
      opened.clear();
      for (const result of settled) if (result.status === 'fulfilled') await result.value.close();
    },
  };
}

function missing(name: string, { place, names }: CheckpointFiles): never {
  throw new CheckpointError(`openCheckpoint: ${place} has no ${name}; found ${listed(names)}`);
}

/** File names as an error lists them. */
export function listed(names: readonly string[]): string {
  if (names.length === 0) return 'no files';
  const shown = [...names].sort().slice(0, 20).join(', ');
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}

/** A whole text file, of at most `maxBytes`. */
export async function readText(
  files: CheckpointFiles,
  name: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const source = await files.open(name);
  if (source.size > maxBytes) {
    throw new CheckpointError(
      `openCheckpoint: ${name} of ${files.place} must have at most ${maxBytes} bytes, got ${source.size}; this is not such a file`,
    );
  }
  const bytes = await source.read(0, source.size, signal);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CheckpointError(
      `openCheckpoint: ${name} of ${files.place} must be UTF-8, got invalid bytes; the file is damaged, fetch it again`,
      { cause: error },
    );
  }
}

/** `value`, once it is known to be an object with named fields. */
export function asRecord(value: unknown, name: string, files: CheckpointFiles): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CheckpointError(
      `openCheckpoint: ${name} of ${files.place} must hold named fields, got ${quoted(value)}; the file is damaged or another one`,
    );
  }
  return value as Readonly<Record<string, unknown>>;
}

/** A JSON file that holds an object, as plain JavaScript. */
export async function readJsonObject(
  files: CheckpointFiles,
  name: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const text = await readText(files, name, maxBytes, signal);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(
      `openCheckpoint: ${name} of ${files.place} must be JSON: ${said}; mend the file or fetch it again`,
      { cause: error },
    );
  }
  return asRecord(value, name, files);
}
