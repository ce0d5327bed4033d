import type { Writable } from 'node:stream';
import type { MaybeTty } from './terminal.ts';

/** Redrawn at most this often. */
const INTERVAL_MS = 50;
const ERASE_LINE = '\r\u001b[2K';

/** A bar on one line of a terminal, gone without a trace when it is cleared. */
export class Progress {
  readonly #stream: MaybeTty<Writable>;
  readonly #enabled: boolean;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(stream: MaybeTty<Writable>, enabled: boolean) {
    this.#stream = stream;
    this.#enabled = enabled && stream.isTTY === true;
  }

  /** Shows `fraction` (0…1) of what `label` names. */
  update(label: string, fraction: number): void {
    const now = performance.now();
    if (!this.#enabled || (this.#shown && now - this.#drawnAt < INTERVAL_MS)) return;
    this.#drawnAt = now;
    this.#shown = true;
    // A terminal that does not know its size says 0.
    const width = Math.max(0, Math.min(30, (this.#stream.columns || 80) - label.length - 9));
    const filled = Math.round(Math.min(1, Math.max(0, fraction)) * width);
    const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
    this.#stream.write(`${ERASE_LINE}${label} [${'='.repeat(filled)}${' '.repeat(width - filled)}]${percent}`);
  }

  /** Removes the bar, so that text can follow. */
  clear(): void {
    if (this.#shown) this.#stream.write(ERASE_LINE);
    this.#shown = false;
  }
}
