import { DeviceError, OutOfMemoryError } from '../errors.ts';

/** What calls that allocate or compile may meet. */
export const ALL_ERRORS: readonly GPUErrorFilter[] = ['internal', 'out-of-memory', 'validation'];
const VALIDATION: readonly GPUErrorFilter[] = ['validation'];

/**
 * Keeps the first thing that went wrong on a GPU until someone waits for it. On a device of our own every uncaptured error
 * is ours. On a lent one error scopes around our own calls tell ours from its owner's, who keeps what is theirs.
 */
export class ErrorWatch {
  readonly #gpu: GPUDevice;
  readonly #lent: boolean;
  readonly #onError: (event: GPUUncapturedErrorEvent) => void;
  /** Scopes that have not said yet whether they caught something. */
  readonly #open = new Set<Promise<void>>();
  #failure: DeviceError | undefined;

  constructor(gpu: GPUDevice, lent: boolean) {
    this.#gpu = gpu;
    this.#lent = lent;
    this.#onError = ({ error }) => this.#keep(error);
    if (!lent) gpu.addEventListener('uncapturederror', this.#onError as unknown as () => void);
  }

  /** Runs calls of ours to WebGPU, which must not wait. Each filter costs microseconds on a lent device, nothing on our own. */
  guard<T>(calls: () => T, filters: readonly GPUErrorFilter[] = VALIDATION): T {
    if (!this.#lent) return calls();
    for (const filter of filters) this.#gpu.pushErrorScope(filter);
    try {
      return calls();
    } finally {
      for (const _ of filters) this.#await(this.#gpu.popErrorScope());
    }
  }

  /** Resolves when every call up to here has been judged; at once on a device of our own. */
  async judged(): Promise<void> {
    if (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** Throws what went wrong since the last time. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  close(): void {
    if (!this.#lent) this.#gpu.removeEventListener('uncapturederror', this.#onError as unknown as () => void);
  }

  #await(scope: Promise<GPUError | null>): void {
    const judged: Promise<void> = scope.then(
      (error) => {
        this.#open.delete(judged);
        if (error) this.#keep(error);
      },
      // Only the loss of the device rejects a scope, and that is told on its own.
      () => void this.#open.delete(judged),
    );
    this.#open.add(judged);
  }

  #keep(error: GPUError): void {
    const memory = error.constructor.name === 'GPUOutOfMemoryError';
    this.#failure ??= memory
      ? new OutOfMemoryError(`webgpu: out of memory: ${error.message}`)
      : new DeviceError(`webgpu: ${error.message}`);
  }
}
