import { XlstmError } from '@xlstm/device';
import { CommanderError } from 'commander';

/** What the process ends with. */
export const EXIT = { ok: 0, error: 1, usage: 2, interrupted: 130 } as const;

/** Ctrl-C, or a request to terminate: training writes a checkpoint first. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/** The exit code that an error ends the command with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  // Help and version "fail" with 0; every other complaint of the parser is about the command line.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  return EXIT.error;
}

/** What to print about an error; nothing where the parser printed it already. */
export function describeFailure(error: unknown, debug: boolean): string | undefined {
  if (error instanceof CommanderError || error instanceof Interrupted) return undefined;
  if (!(error instanceof Error)) return `error: ${String(error)}\n`;
  if (debug) return `error: ${error.stack ?? error.message}${causes(error)}\n`;
  return error instanceof XlstmError
    ? `error: ${error.message}\n`
    : `error: unexpected ${error.name}: ${error.message}; run again with --debug to see where\n`;
}

function causes({ cause }: Error): string {
  return cause instanceof Error ? `\ncaused by: ${cause.stack ?? cause.message}${causes(cause)}` : '';
}
