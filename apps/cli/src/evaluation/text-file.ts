import { readFile } from 'node:fs/promises';
import { InputOutputError } from '../failures.ts';
import { readStdin } from '../generation/prompt.ts';
import type { Context } from '../terminal.ts';

/** JavaScript holds no longer texts. */
const MOST_BYTES = 2 ** 29 - 24;

/**
 * The text of a file, or of a pipe for `-`, every character kept but a byte-order mark.
 *
 * @throws InputOutputError when it cannot be read, is no UTF-8 text, or is too long to be held.
 */
export async function readTextFile(path: string, context: Context): Promise<string> {
  const place = path === '-' ? 'stdin' : path;
  const bytes = path === '-' ? await readStdin(context, 'the text') : await readBytes(path, context.signal);
  if (bytes.length > MOST_BYTES) {
    throw new InputOutputError(
      `--text: ${place} has ${bytes.length} bytes, and at most ${MOST_BYTES} can be held as text; evaluate a part of it`,
    );
  }
  const zero = bytes.indexOf(0);
  const notText = (what: string, cause?: unknown) =>
    new InputOutputError(`--text: ${place} must be UTF-8 text, got ${what}; convert it or name another file`, {
      cause,
    });
  if (zero >= 0) throw notText(`a NUL byte at offset ${zero}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw notText('other bytes', cause);
  }
}

async function readBytes(path: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return await readFile(path, { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new InputOutputError(
      `--text: cannot read ${path}: ${(cause as Error).message}; check the path and its permissions`,
      { cause },
    );
  }
}
