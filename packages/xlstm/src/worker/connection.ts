import { DeviceLostError, OptionError, XlstmError } from '@xlstm/device';
import type { TransferProgress } from '@xlstm/loaders';
import { type EngineWorker, listenTo } from './engine-worker.ts';
import { restoreError } from './error-transfer.ts';
import { type CallName, type Calls, type Handle, isResponse, type Progress, shown } from './protocol.ts';

interface Pending {
  resolve(value: never): void;
  reject(error: unknown): void;
}

/** The client's end of the protocol: calls, their answers, and what is heard in between. */
export class Connection {
  readonly #worker: EngineWorker;
  readonly #ownsWorker: boolean;
  readonly #silence: () => void;
  readonly #pending = new Map<number, Pending>();
  readonly #prefills = new Map<Handle, (done: number, total: number) => void>();
  onProgress: ((progress: Progress) => void) | undefined;
  onDownload: ((event: TransferProgress) => void) | undefined;
  #lastId = 0;
  #lastHandle = 0;
  #over: Error | undefined;

  constructor(worker: EngineWorker, ownsWorker: boolean) {
    this.#worker = worker;
    this.#ownsWorker = ownsWorker;
    this.#silence = listenTo(worker, {
      message: (data) => this.#receive(data),
      failed: (reason) =>
        void this.end(new DeviceLostError(`worker: it ended before its time: ${reason}; load the model again`)),
    });
    this.#rest();
  }

  /** A number for a state or a generation that no other one has. */
  newHandle(): Handle {
    this.#lastHandle += 1;
    return this.#lastHandle;
  }

  /** @throws the reason why the connection is over, once it is */
  assertOpen(): void {
    if (this.#over) throw this.#over;
  }

  /** Asks the engine. Calls arrive in the order in which they were made. */
  async call<Name extends CallName>(call: Name, ...given: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>> {
    this.assertOpen();
    this.#lastId += 1;
    const id = this.#lastId;
    try {
      this.#worker.postMessage({ id, call, arguments: given });
    } catch (cause) {
      throw new OptionError(`${call}: a worker can only be sent plain data and files: ${(cause as Error).message}`, {
        cause,
      });
    }
    if (this.#pending.size === 0 && 'ref' in this.#worker) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** Asks the engine without waiting for the answer; a later call that depends on it fails if it did. */
  tell<Name extends CallName>(call: Name, ...given: Parameters<Calls[Name]>): void {
    this.call(call, ...given).catch(() => {});
  }

  /** Hears how far the prefill of a generation is. @returns a function that stops hearing */
  onPrefill(generation: Handle, listener: (done: number, total: number) => void): () => void {
    this.#prefills.set(generation, listener);
    return () => this.#prefills.delete(generation);
  }

  #receive(message: unknown): void {
    if (this.#over) return;
    if (!isResponse(message)) {
      const what = `expected a message of xlstm's protocol, got ${shown(message)}`;
      void this.end(new XlstmError(`worker: ${what}; the worker must run xlstm/worker-entry and nothing else`));
      return;
    }
    if (message.type === 'progress') this.onProgress?.(message.progress);
    else if (message.type === 'download') for (const event of message.events) this.onDownload?.(event);
    else if (message.type === 'prefill') this.#prefills.get(message.generation)?.(message.done, message.total);
    else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      this.#rest();
      if (message.type === 'done') pending?.resolve(message.value as never);
      else pending?.reject(restoreError(message.error));
    }
  }

  /** A thread that nobody waits for does not keep Node alive. */
  #rest(): void {
    if (this.#pending.size === 0 && 'unref' in this.#worker) this.#worker.unref();
  }

  /** Ends the worker, unless it is the caller's own; every pending and later call fails with the reason. */
  async end(reason: Error): Promise<void> {
    if (this.#over) return;
    this.#over = reason;
    this.#silence();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    this.#rest();
    if (this.#ownsWorker) await this.#worker.terminate();
  }
}
