import { InvalidArgumentError } from 'commander';

/** Reads a positive integer of the command line. */
export function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a positive integer.');
  return value;
}
