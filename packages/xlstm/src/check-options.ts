import { OptionError } from '@xlstm/device';

/**
 * Refuses options that do not exist: a misspelt one would otherwise be ignored without a word.
 *
 * @throws OptionError that lists the known names.
 */
export function checkOptionNames(operation: string, options: object, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError(`${operation}: options must be an object, got ${String(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw new OptionError(`${operation}: no option is called "${name}"; it takes ${names.join(', ')}`);
    }
  }
}
