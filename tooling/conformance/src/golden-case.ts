import { XlstmError } from '@xlstm/device';
import type { ByteSource } from '@xlstm/loaders';

/** A golden case that cannot be used as it stands. */
export class CaseError extends XlstmError {
  override name = 'CaseError';
}

/** The files of a case, wherever they are: on disk, or served to a page. */
export interface CaseFiles {
  /** Paths below the case's folder, with forward slashes. */
  readonly names: readonly string[];
  /** Opens one of `names`; the caller closes it. */
  open(name: string): Promise<ByteSource>;
  /** A file of the corpus, which lies elsewhere; undefined when it is not there. */
  corpus(name: string): Promise<ByteSource | undefined>;
}

/** A folder of golden vectors. */
export interface GoldenCase {
  /** Path below the folder that was asked for, with forward slashes. */
  name: string;
  files: CaseFiles;
}

/** The fields of a `case.json`. */
export type CaseFields = Readonly<Record<string, unknown>>;

/** A text file of a case. @throws CaseError when it is missing. */
export async function readText(source: ByteSource): Promise<string> {
  try {
    return new TextDecoder().decode(await source.read(0, source.size));
  } finally {
    await source.close();
  }
}

/** A JSON file of a case. @throws CaseError when it is missing or not JSON. */
export async function readCaseJson(files: CaseFiles, name: string): Promise<unknown> {
  let text: string;
  try {
    text = await readText(await files.open(name));
  } catch (cause) {
    throw new CaseError(`${name}: expected a readable file, got ${(cause as Error).message}; fetch the case again`, {
      cause,
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CaseError(`${name}: expected JSON, got ${(cause as Error).message}; fetch the case again`, { cause });
  }
}

/** The case's own description. @throws CaseError when it is not an object that names its kind. */
export async function readCaseFields(files: CaseFiles): Promise<CaseFields & { kind: string }> {
  const fields = await readCaseJson(files, 'case.json');
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new CaseError('case.json: expected an object; write the fields of the case');
  }
  const { kind } = fields as CaseFields;
  if (typeof kind !== 'string') {
    throw new CaseError(`case.json: kind must be a string, got ${JSON.stringify(kind)}; name the kind of the case`);
  }
  return fields as CaseFields & { kind: string };
}

/** A positive integer of a `case.json`. @throws CaseError when it is anything else. */
export function sizeField(fields: CaseFields, name: string): number {
  const value = fields[name];
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new CaseError(`case.json: ${name} must be a positive integer, got ${JSON.stringify(value)}`);
  }
  return value as number;
}
