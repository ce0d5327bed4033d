import { DisposedError } from '@xlstm/device';
import type { Connection } from './connection.ts';
import type { Handle } from './protocol.ts';

/** A model's past that lives in a worker: the handle of an `XlstmState`, used in the same way. */
export class WorkerState implements Disposable {
  readonly connection: Connection;
  readonly handle: Handle;
  /** Tokens read so far. */
  position: number;
  #disposed = false;

  /** Made by `model.createState()` and `model.importState()`. */
  constructor(connection: Connection, handle: Handle, position = 0) {
    this.connection = connection;
    this.handle = handle;
    this.position = position;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws DisposedError after `dispose()` of the state or its model; DeviceLostError when the worker is gone */
  assertLive(operation: string): void {
    this.connection.assertOpen();
    if (this.#disposed) throw new DisposedError(`${operation}: the state was disposed; create a new one`);
  }

  /** An independent copy: the same past, from here on two futures. */
  clone(): WorkerState {
    this.assertLive('state.clone');
    const copy = new WorkerState(this.connection, this.connection.newHandle(), this.position);
    this.connection.call('cloneState', copy.handle, this.handle).then(
      ({ position }) => {
        copy.position = Math.max(copy.position, position);
      },
      () => {}, // The copy's first use says why there is none.
    );
    return copy;
  }

  /**
   * The state as bytes, to be kept in a file or sent elsewhere; models in and out of workers read each other's.
   *
   * @throws OptionError while a generation has the state; DisposedError, DeviceLostError
   */
  async export(): Promise<Uint8Array<ArrayBuffer>> {
    this.assertLive('state.export');
    return this.connection.call('exportState', this.handle);
  }

  /** Forgets everything. */
  reset(): void {
    this.assertLive('state.reset');
    this.connection.tell('resetState', this.handle);
    this.position = 0;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.connection.tell('disposeState', this.handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
