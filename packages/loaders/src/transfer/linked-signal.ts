/** A signal that aborts with the first of others, until `unlink`. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  unlink(): void;
  /** The value, or a rejection with the reason as soon as the signal aborts. */
  race<T>(value: Promise<T>): Promise<T>;
}

/**
 * `AbortSignal.any` would do, but Node 20 may collect such a signal while a fetch still waits on it, and the abort is
 * never heard.
 */
export function linkedSignal(...sources: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const listeners: (() => void)[] = [];
  for (const source of sources) {
    if (!source) continue;
    const stop = (): void => controller.abort(source.reason);
    if (source.aborted) stop();
    source.addEventListener('abort', stop, { once: true });
    listeners.push(() => source.removeEventListener('abort', stop));
  }
  return {
    signal: controller.signal,
    unlink() {
      for (const remove of listeners) remove();
    },
    race(value) {
      const { signal } = controller;
      return new Promise((resolve, reject) => {
        const stop = (): void => reject(signal.reason);
        if (signal.aborted) stop();
        signal.addEventListener('abort', stop, { once: true });
        value.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
      });
    },
  };
}
