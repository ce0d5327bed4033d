import { ConfigError } from '@xlstm/device';
import { closest, distance } from 'fastest-levenshtein';

/** A configuration object as it stands in a file: published field names in snake_case. */
export type RawFields = Readonly<Record<string, unknown>>;

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : JSON.stringify(value);
}

/** Reads fields of one section by name and type; whatever is not asked for by the end is an unknown field. */
export class Fields {
  readonly #section: string;
  readonly #raw: RawFields;
  readonly #known = new Set<string>();

  constructor(section: string, raw: unknown) {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      throw new ConfigError(`config: ${section} must be an object of fields, got ${describe(raw)}`);
    }
    this.#section = section;
    this.#raw = raw as RawFields;
  }

  /** The field, or `undefined` when it is absent or null. */
  raw(name: string): unknown {
    this.#known.add(name);
    return this.#raw[name] ?? undefined;
  }

  /** An integer of at least `least`. */
  integer(name: string, fallback: number | undefined, least = 1): number {
    const value = this.raw(name) ?? fallback;
    if (value === undefined) throw new ConfigError(`config: ${this.#at(name)} is missing; give an integer`);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
      throw this.#wrong(name, `an integer of at least ${least}`, value);
    }
    return value;
  }

  /** A finite number for which `holds`. */
  number(name: string, fallback: number, what: string, holds: (value: number) => boolean): number {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value) || !holds(value)) throw this.#wrong(name, what, value);
    return value;
  }

  /** A positive number, or `undefined` when absent. */
  optionalPositive(name: string): number | undefined {
    return this.raw(name) === undefined ? undefined : this.number(name, 0, 'a positive number', (value) => value > 0);
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.raw(name) ?? fallback;
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false', value);
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.raw(name) ?? fallback;
    if (!choices.includes(value as T)) throw this.#wrong(name, `one of ${choices.join(', ')}`, value);
    return value as T;
  }

  /** Fields that say nothing about the function computed (kernels, dtypes, sizes that follow from others). */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#known.add(name);
  }

  /** @throws ConfigError for a field that nobody asked for; it names the nearest one, or all that are known. */
  refuseUnknown(): void {
    for (const name of Object.keys(this.#raw)) {
      if (this.#known.has(name)) continue;
      const known = [...this.#known];
      const nearest = closest(name, known);
      const advice =
        distance(name, nearest) <= Math.max(2, name.length / 3)
          ? `did you mean ${nearest}?`
          : `the fields here are ${known.sort().join(', ')}`;
      throw new ConfigError(`config: ${this.#at(name)} is not a known field; ${advice}`);
    }
  }

  #at(name: string): string {
    return this.#section === 'the configuration' ? name : `${this.#section}.${name}`;
  }

  #wrong(name: string, expected: string, value: unknown): ConfigError {
    return new ConfigError(`config: ${this.#at(name)} must be ${expected}, got ${describe(value)}`);
  }
}
