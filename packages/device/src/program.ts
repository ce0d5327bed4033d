/** A recorded sequence of launches and copies. Replaying it costs no checks and no allocation. */
export interface Program extends Disposable {
  readonly label: string;
  /** Kernel launches in one run. */
  readonly dispatches: number;
  /** Queues the whole sequence once more. */
  run(): void;
  /** Forgets the sequence; its buffers stay their owners'. */
  dispose(): void;
}
