/** How long one launch of a program took on its device. */
export interface ProfiledDispatch {
  /** The kernel's id and, where there are several, its form: `matmul/plain`. */
  kernel: string;
  milliseconds: number;
}

/** A recorded sequence of launches and copies. Replaying it costs no checks and no allocation. */
export interface Program extends Disposable {
  readonly label: string;
  /** Kernel launches in one run. */
  readonly dispatches: number;
  /** Queues the whole sequence once more. */
  run(): void;
  /**
   * Runs the whole sequence once more and times each launch by itself, in order; on a GPU by its own clock. Launches then
   * do not overlap, so that their sum is more than a run takes.
   *
   * @throws DeviceError where the adapter offers no timestamps.
   */
  profile(): Promise<readonly ProfiledDispatch[]>;
  /** Forgets the sequence; its buffers stay their owners'. */
  dispose(): void;
}
