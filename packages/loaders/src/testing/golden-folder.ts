import { existsSync } from 'node:fs';
import { join } from 'node:path';

const shared = join(import.meta.dirname, '../../../../../shared');

/** The folder of golden vectors, which a clone may lack; XLSTM_GOLDEN names another. */
export const goldenFolder: string = process.env.XLSTM_GOLDEN ?? join(shared, 'golden');

/** The small trained model that may lie beside the golden vectors. */
export const storiesFolder: string = join(goldenFolder, '../models/stories/checkpoint');

/** Whether tests of a folder must be skipped since it is not there; says so, as vitest's summary only counts. */
export function skipWithout(folder: string): boolean {
  if (existsSync(folder)) return false;
  console.warn(`skipped: no golden vectors at ${folder}; set XLSTM_GOLDEN to their folder`);
  return true;
}
