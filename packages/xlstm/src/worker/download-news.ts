import type { TransferProgress } from '@xlstm/loaders';

/** Between two messages about bytes that arrive. */
const INTERVAL_MS = 100;

/**
 * Sends on what `onDownload` hears, without a message for every piece of every file: of bytes that arrive, each file's
 * newest count goes out every so often, all files' in one message. What happens once goes out at once, after the counts
 * that came before it, so that each file's last one always arrives.
 */
export class DownloadNews {
  readonly #send: (events: TransferProgress[]) => void;
  readonly #counts = new Map<string, TransferProgress>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastCounts = Number.NEGATIVE_INFINITY;

  constructor(send: (events: TransferProgress[]) => void) {
    this.#send = send;
  }

  hear(event: TransferProgress): void {
    if (event.status !== 'progress') {
      this.#flush(event);
      return;
    }
    this.#counts.set(event.file, event);
    if (this.#timer !== undefined) return;
    const wait = this.#lastCounts + INTERVAL_MS - performance.now();
    if (wait <= 0) this.#flush();
    else this.#timer = setTimeout(() => this.#flush(), wait);
  }

  /** Sends what waits still. */
  end(): void {
    this.#flush();
  }

  #flush(...last: TransferProgress[]): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#counts.size > 0) this.#lastCounts = performance.now();
    const events = [...this.#counts.values(), ...last];
    this.#counts.clear();
    if (events.length > 0) this.#send(events);
  }
}
