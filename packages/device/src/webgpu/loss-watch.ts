import { DeviceError, DeviceLostError } from '../errors.ts';

/** A busy browser may take this long from refusing a map to saying that the device is lost. */
const LOSS_NOTICE_MS = 2000;

/** Waits for a GPU that may get lost meanwhile: whatever waits then ends with one typed error, and nothing hangs. */
export class LossWatch {
  /** Resolves with the reason when the device is lost; never after `close()`. */
  readonly lost: Promise<Error>;
  #error: DeviceLostError | undefined;
  #closed = false;
  /** Rejects what waits for the GPU, once it is lost. One reaction on `gpu.lost` serves all of it. */
  readonly #pending = new Set<(error: DeviceLostError) => void>();

  constructor(gpu: GPUDevice) {
    this.lost = gpu.lost.then((info) => {
      const error = new DeviceLostError(
        `webgpu: the device was lost (${info.reason || 'unknown'}: ${info.message || 'no message'}); create a new device and load the model again`,
      );
      if (this.#closed) return new Promise<Error>(() => {});
      this.#error = error;
      for (const reject of [...this.#pending]) reject(error);
      return error;
    });
  }

  get isLost(): boolean {
    return this.#error !== undefined;
  }

  /** @throws DeviceLostError once the device is lost. */
  assertThere(operation: string): void {
    if (this.#error) throw new DeviceLostError(`${operation}: ${this.#error.message}`);
  }

  /** From here on a loss is an ordinary end. */
  close(): void {
    this.#closed = true;
  }

  /** Waits for a WebGPU promise; turns its failure, or the loss of the device meanwhile, into a typed error. */
  orLost<T>(operation: string, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        signal?.removeEventListener('abort', onAbort);
        return this.#pending.delete(onLost);
      };
      const onLost = (error: DeviceLostError) => {
        leave();
        reject(new DeviceLostError(`${operation}: ${error.message}`));
      };
      const onAbort = () => {
        leave();
        reject(signal!.reason);
      };
      this.#pending.add(onLost);
      signal?.addEventListener('abort', onAbort);
      promise.then(
        (value) => {
          leave();
          resolve(value);
        },
        (cause: unknown) => {
          // A loss may reject pending maps just before `lost` resolves: give it a moment to say so.
          setTimeout(
            () => {
              if (!leave()) return;
              const text = cause instanceof Error ? cause.message : String(cause);
              reject(new DeviceError(`${operation}: webgpu refused: ${text}`, { cause }));
            },
            this.#closed ? 0 : LOSS_NOTICE_MS,
          );
        },
      );
    });
  }
}
