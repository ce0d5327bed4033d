import { ConfigError } from '@xlstm/device';

/**
 * The counters of a kept position, after a check that it is of the same kind of source over the same data.
 *
 * @param same what must agree with this source
 * @param counters names of non-negative integers
 * @throws ConfigError when something differs or is missing
 */
export function readPosition<Counter extends string>(
  position: unknown,
  same: Readonly<{ kind: string } & Record<string, string | number>>,
  counters: readonly Counter[],
): Record<Counter, number> {
  if (typeof position !== 'object' || position === null) {
    throw new ConfigError(`seek: expected a position of ${same.kind}, got ${JSON.stringify(position)}`);
  }
  const fields = position as Record<string, unknown>;
  for (const [name, value] of Object.entries(same)) {
    if (fields[name] !== value) {
      throw new ConfigError(
        `seek: the position is of other data: ${name} is ${JSON.stringify(fields[name])} there and ${JSON.stringify(value)} here; resume with the data and options of that run`,
      );
    }
  }
  const read = {} as Record<Counter, number>;
  for (const name of counters) {
    const value = fields[name];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw new ConfigError(`seek: ${name} must be an integer of 0 or more, got ${JSON.stringify(value)}`);
    }
    read[name] = value;
  }
  return read;
}

/** @throws ConfigError when it is not an integer of `least` or more */
export function checkInteger(operation: string, name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ConfigError(`${operation}: ${name} must be an integer of ${least} or more, got ${value}`);
  }
}
