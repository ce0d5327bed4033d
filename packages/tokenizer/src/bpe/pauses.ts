/** No longer than this at a time is the event loop held up. */
const TURN_MS = 50;

/** Lets long work be aborted, and lets a page or a signal handler have its turn meanwhile. */
export class Pauses {
  readonly #signal: AbortSignal | undefined;
  #since = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    signal?.throwIfAborted();
  }

  /** Whether `pause` is due; cheap enough to be asked often. */
  get due(): boolean {
    return performance.now() - this.#since > TURN_MS;
  }

  /** @throws the signal's reason once it is aborted. */
  async pause(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    this.#signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
