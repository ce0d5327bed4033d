import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { XlstmError } from '@xlstm/device';

/** A golden case that cannot be used as it stands. */
export class CaseError extends XlstmError {
  override name = 'CaseError';
}

/** A folder of golden vectors: what `case.json` says, and where the rest lies. */
export interface GoldenCase {
  /** Path below the folder that was asked for, with forward slashes. */
  name: string;
  folder: string;
}

/** The fields of a `case.json`. */
export type CaseFields = Readonly<Record<string, unknown>>;

/** Finds every folder with a `case.json` at or below `root`, in the order of their names. */
export async function findCases(root: string): Promise<GoldenCase[]> {
  const found: GoldenCase[] = [];
  const visit = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    if (entries.some((entry) => entry.name === 'case.json')) {
      const path = relative(root, folder).split(sep).join('/');
      found.push({ name: path || basename(folder), folder });
    }
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    for (const name of folders.sort()) await visit(join(folder, name));
  };
  await visit(root);
  return found;
}

/** A JSON file of a case. @throws CaseError when it is missing or not JSON. */
export async function readCaseJson(folder: string, name: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(join(folder, name), 'utf8');
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
export async function readCaseFields(folder: string): Promise<CaseFields & { kind: string }> {
  const fields = await readCaseJson(folder, 'case.json');
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
