/** Parts of a sum over rows at most: enough to fill a GPU, few enough that adding them up is cheap. */
const MOST_PARTS = 256;
/** Rows of a part at least. */
const FEWEST_ROWS = 16;

/** How rows are cut for a sum over them; the same for the same number of rows, so that sums are reproducible. */
export interface RowChunks {
  /** Rows of a part; the last part may have fewer. */
  readonly chunk: number;
  readonly parts: number;
}

/**
 * Cuts `rows` for a sum over them in two passes: a kernel sums each part, `sumPartials` the parts. `most` bounds their
 * number further, for sums of which there are many.
 */
export function rowChunks(rows: number, most: number = MOST_PARTS): RowChunks {
  const chunk = Math.max(FEWEST_ROWS, Math.ceil(rows / Math.max(1, Math.min(MOST_PARTS, most))));
  return { chunk, parts: Math.ceil(rows / chunk) };
}
