/**
 * Cuts a stream of text at the first stop string. Text that may be the beginning of one is held back until it is clear.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Whether a stop string has come; nothing is emitted after that. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes more text and returns what may be shown. */
  push(text: string): string {
    if (this.#stopped) return '';
    this.#held += text;
    const cut = this.#firstComplete();
    if (cut !== undefined) {
      const shown = this.#held.slice(0, cut);
      this.#held = '';
      this.#stopped = true;
      return shown;
    }
    const keep = this.#longestOpenSuffix();
    const shown = this.#held.slice(0, this.#held.length - keep);
    this.#held = this.#held.slice(this.#held.length - keep);
    return shown;
  }

  /** The end of the text: what was held back was no stop string after all. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return this.#stopped ? '' : rest;
  }

  /**
   * Where the stop string begins that is complete first; of two that are complete at once, the longer one. Going by the
   * end makes the outcome the same however the text is cut into pieces.
   */
  #firstComplete(): number | undefined {
    let found: { start: number; end: number } | undefined;
    for (const stop of this.#stops) {
      const start = this.#held.indexOf(stop);
      if (start < 0) continue;
      const end = start + stop.length;
      if (!found || end < found.end || (end === found.end && start < found.start)) found = { start, end };
    }
    return found?.start;
  }

  /** Length of the longest end of the held text that begins some stop string. */
  #longestOpenSuffix(): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, this.#held.length); length > longest; length--) {
        if (stop.startsWith(this.#held.slice(this.#held.length - length))) {
          longest = length;
          break;
        }
      }
    }
    return longest;
  }
}
