import type { CheckpointFiles } from '@xlstm/loaders';
import { writeWhole } from './journal.ts';

/** Tokenizer, chat template, generation settings, licence: texts beside the weights. */
const SMALL = /^(?!\.)([\w.-]+\.(json|jinja|txt|model|md)|LICEN[CS]E)$/;
const NOT_COPIED = /^config\.json$|\.index\.json$/;
/** Larger than any tokenizer. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Copies what belongs to a model beside its weights; returns the names. */
export async function copySmallFiles(files: CheckpointFiles, out: string, signal: AbortSignal): Promise<string[]> {
  const copied: string[] = [];
  for (const name of files.names) {
    if (!SMALL.test(name) || NOT_COPIED.test(name)) continue;
    const source = await files.open(name);
    if (source.size > MOST_BYTES) continue;
    await writeWhole(out, name, await source.read(0, source.size, signal));
    copied.push(name);
  }
  return copied.sort();
}
