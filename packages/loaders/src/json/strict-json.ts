import { CheckpointError } from '@xlstm/device';
import { quoted } from './quoted.ts';

/** A JSON value whose objects are Maps: no key is special (`__proto__`), none is lost, order is kept. */
export type StrictJson = null | boolean | number | string | readonly StrictJson[] | ReadonlyMap<string, StrictJson>;

export interface StrictJsonOptions {
  /** Refuse numbers other than integers that a double holds exactly, as for shapes and offsets. */
  readonly integersOnly?: boolean;
}

/** Deeper than any file in these formats; recursion stops here, before the stack does. */
const MAX_DEPTH = 32;
/** No number in these formats is longer; converting a hostile one is not tried. */
const MAX_NUMBER_LENGTH = 400;
/** Bounds on parsed values: 100 MB of "{},{},{}," would otherwise become gigabytes of objects and end the process. */
const MAX_CONTAINERS = 1_000_000;
const MAX_VALUES = 8_000_000;

/**
 * Parses JSON (RFC 8259) and refuses what `JSON.parse` lets pass: duplicate keys, also when spelled with different
 * escapes, and lone surrogates. `where` begins every message.
 *
 * @throws CheckpointError naming the character offset and the keys that lead there.
 * @example
 * parseStrictJson('{"a":1,"\\u0061":2}', 'index.json'); // CheckpointError: duplicate key "a"
 */
export function parseStrictJson(text: string, where: string, options: StrictJsonOptions = {}): StrictJson {
  return new Scanner(text, where, options.integersOnly ?? false).document();
}

class Scanner {
  private readonly text: string;
  private readonly where: string;
  private readonly integersOnly: boolean;
  private readonly keys: string[] = [];
  private at = 0;
  private values = 0;
  private containers = 0;

  constructor(text: string, where: string, integersOnly: boolean) {
    this.text = text;
    this.where = where;
    this.integersOnly = integersOnly;
  }

  document(): StrictJson {
    const value = this.value(0);
    this.skipSpace();
    if (this.at < this.text.length) this.fail('the end');
    return value;
  }

  private value(depth: number): StrictJson {
    if (depth > MAX_DEPTH) this.refuse(`values nested deeper than ${MAX_DEPTH}`);
    if (++this.values > MAX_VALUES) this.refuse(`more than ${MAX_VALUES} values`);
    this.skipSpace();
    switch (this.text[this.at]) {
      case '{':
        return this.object(depth);
      case '[':
        return this.array(depth);
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private object(depth: number): ReadonlyMap<string, StrictJson> {
    const result = new Map<string, StrictJson>();
    this.enter();
    this.skipSpace();
    if (this.take('}')) return result;
    do {
      this.skipSpace();
      if (this.text[this.at] !== '"') this.fail('a key in quotes');
      const key = this.string();
      if (result.has(key)) this.refuse(`duplicate key ${quoted(key)}`);
      this.skipSpace();
      if (!this.take(':')) this.fail('":"');
      this.keys.push(key);
      result.set(key, this.value(depth + 1));
      this.keys.pop();
      this.skipSpace();
    } while (this.take(','));
    if (!this.take('}')) this.fail('"," or "}"');
    return result;
  }

  private array(depth: number): readonly StrictJson[] {
    const result: StrictJson[] = [];
    this.enter();
    this.skipSpace();
    if (this.take(']')) return result;
    do {
      result.push(this.value(depth + 1));
      this.skipSpace();
    } while (this.take(','));
    if (!this.take(']')) this.fail('"," or "]"');
    return result;
  }

  private enter(): void {
    this.at++;
    if (++this.containers > MAX_CONTAINERS) this.refuse(`more than ${MAX_CONTAINERS} objects and arrays`);
  }

  // Strings and numbers are scanned by hand: a regular expression's backtracking stack overflows on megabytes of them.
  private string(): string {
    const start = this.at++;
    let escaped = false;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (Number.isNaN(code)) this.fail('the end of a string');
      if (code < 0x20) this.fail('a string without bare control characters');
      this.at++;
      if (code === 0x22) break;
      if (code === 0x5c) {
        escaped = true;
        this.at++;
      }
    }
    if (!escaped) return this.text.slice(start + 1, this.at - 1);
    let decoded: string;
    try {
      decoded = JSON.parse(this.text.slice(start, this.at)) as string;
    } catch {
      this.at = start;
      return this.fail('a string with valid escapes');
    }
    if (/\p{Surrogate}/u.test(decoded)) this.refuse('a string with half of a surrogate pair');
    return decoded;
  }

  private number(): number {
    const start = this.at;
    this.take('-');
    if (!this.take('0') && this.digits() === 0) {
      this.at = start;
      this.fail('a value');
    }
    let integer = true;
    if (this.take('.')) {
      integer = false;
      if (this.digits() === 0) this.fail('a digit');
    }
    if (this.take('e') || this.take('E')) {
      integer = false;
      if (!this.take('+')) this.take('-');
      if (this.digits() === 0) this.fail('a digit');
    }
    if (this.at - start > MAX_NUMBER_LENGTH) this.refuse(`a number of ${this.at - start} characters`);
    const literal = this.text.slice(start, this.at);
    const value = Number(literal);
    if (this.integersOnly && !(integer && Number.isSafeInteger(value) && literal !== '-0')) {
      this.refuse(`the number ${quoted(literal)} where only exact integers below 2^53 may stand`);
    }
    return value;
  }

  private digits(): number {
    const start = this.at;
    for (let code = this.text.charCodeAt(this.at); code >= 0x30 && code <= 0x39; ) {
      code = this.text.charCodeAt(++this.at);
    }
    return this.at - start;
  }

  private word<T extends StrictJson>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('a value');
    this.at += word.length;
    return value;
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private fail(expected: string): never {
    const found = this.at < this.text.length ? quoted(this.text.slice(this.at, this.at + 12)) : 'the end of the text';
    throw new CheckpointError(
      `${this.where}: not valid JSON: expected ${expected} at character ${Math.min(this.at, this.text.length)}${this.place()}, got ${found}; the file is damaged, fetch it again`,
    );
  }

  private refuse(what: string): never {
    throw new CheckpointError(
      `${this.where}: got ${what} at character ${this.at}${this.place()}; the file is damaged or hostile, fetch it again from its author`,
    );
  }

  private place(): string {
    return this.keys.length === 0 ? '' : ` (in ${this.keys.map(quoted).join(' > ')})`;
  }
}
