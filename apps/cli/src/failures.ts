import { XlstmError } from '@xlstm/device';
import { CommanderError } from 'commander';

/** What the process ends with. */
export const EXIT = { ok: 0, error: 1, usage: 2, interrupted: 130 } as const;

/** The command line asks for something that makes no sense; nothing was done. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Ctrl-C, or a request to terminate. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/** Whoever read our output has gone away, as `head` does when it has enough: no fault of anyone. */
export class ReaderLeft extends Error {
  override name = 'ReaderLeft';
}

/** Something could not be read or written outside of any model. */
export class InputOutputError extends XlstmError {
  override name = 'InputOutputError';
}

/** The exit code that an error ends the command with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ReaderLeft) return EXIT.ok;
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof UsageError) return EXIT.usage;
  // Help and version "fail" with 0; every other complaint of the parser is about the command line.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  return EXIT.error;
}

/** What to print about an error; nothing where it was printed already or is none. */
export function describeFailure(error: unknown, debug: boolean): string | undefined {
  if (error instanceof CommanderError || error instanceof ReaderLeft || error instanceof Interrupted) return undefined;
  if (!(error instanceof Error)) return `error: ${String(error)}\n`;
  if (debug) return `error: ${error.stack ?? error.message}${causes(error)}\n`;
  const expected = error instanceof XlstmError || error instanceof UsageError;
  return expected
    ? `error: ${error.message}\n`
    : `error: unexpected ${error.name}: ${error.message}; run again with --debug to see where\n`;
}

function causes(error: Error): string {
  const { cause } = error;
  return cause instanceof Error ? `\ncaused by: ${cause.stack ?? cause.message}${causes(cause)}` : '';
}
