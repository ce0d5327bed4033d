import type { DeviceBuffer } from './buffer.ts';
import { type Dtype, dtypeBytes, type NumberArray, newArray } from './dtypes/index.ts';
import { DeviceError, DisposedError, DtypeError, OptionError, ShapeError } from './errors.ts';
import type { DeviceIdentity, DeviceKind } from './identity.ts';
import type { Binding, Kernel, ParamType } from './kernel.ts';
import type { Launch } from './launch.ts';
import { BufferLedger, type LiveBuffers } from './ledger.ts';
import type { Program } from './program.ts';

/** Options of `alloc`. */
export interface AllocOptions {
  /** Who answers for the buffer; live counts are kept per owner. Default `caller`. */
  owner?: string;
  /** Shown in errors and GPU debuggers. */
  label?: string;
}

/** What a device is, for people and for `doctor`. */
export interface DeviceInfo {
  kind: DeviceKind;
  /** Such as `NVIDIA H200` or `CPU (8 threads, x64)`. */
  name: string;
  vendor: string;
  architecture: string;
  /** A software implementation: correct, and slower than our own CPU device. */
  software: boolean;
  features: readonly string[];
  limits: Readonly<Record<string, number>>;
}

/**
 * An ordered queue of work. `launch`, `upload` and `copy` never wait; only `read()` and `sync()` are awaited.
 * Commands take effect in the order of the calls, on every kind of device.
 */
export abstract class Device implements DeviceIdentity, Disposable {
  abstract readonly kind: DeviceKind;
  abstract readonly info: DeviceInfo;
  /** The largest buffer, in bytes, that one binding can reach. */
  abstract readonly maxBufferBytes: number;
  /**
   * How many bytes the device holds in all, at the very most, where that can be known: the cpu device tells the machine's
   * memory; WebGPU tells nobody.
   */
  abstract readonly memoryBytes: number | undefined;
  readonly ledger: BufferLedger = new BufferLedger();
  #disposed = false;

  get name(): string {
    return this.info.name;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Buffers alive on this device now, by owner. */
  liveBuffers(): LiveBuffers {
    return this.ledger.snapshot();
  }

  /**
   * Allocates a zeroed buffer of `length` elements.
   * @throws OutOfMemoryError when the device cannot hold or bind it.
   */
  alloc(dtype: Dtype, length: number, options: AllocOptions = {}): DeviceBuffer {
    this.assertUsable('alloc');
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new ShapeError(`alloc: length must be a non-negative integer, got ${length}`);
    }
    return this.allocate(dtype, length, options.owner ?? 'caller', options.label ?? 'buffer');
  }

  /** Allocates a buffer and uploads `data` into it; 16-bit floats come as bits. */
  from(dtype: Dtype, data: NumberArray, options: AllocOptions = {}): DeviceBuffer {
    const buffer = this.alloc(dtype, data.length, options);
    try {
      this.upload(buffer, data);
    } catch (error) {
      buffer.dispose();
      throw error;
    }
    return buffer;
  }

  /** Copies host data into `buffer` from element `offset` on. The data may be changed as soon as this returns. */
  upload(buffer: DeviceBuffer, data: NumberArray, offset = 0): void {
    this.assertUsable('upload');
    this.assertOwn('upload', buffer);
    const expected = newArray(buffer.dtype, 0);
    if (data.constructor !== expected.constructor) {
      throw new DtypeError(
        `upload: buffer "${buffer.label}" is ${buffer.dtype} and takes a ${expected.constructor.name}, got a ${data.constructor.name}; encode the data first`,
      );
    }
    this.checkRange('upload', buffer, offset, data.length);
    if (data.length > 0) this.write(buffer, data, offset);
  }

  /**
   * Waits for the queue up to here and returns `length` elements from `offset` (all, by default).
   * @throws DeviceLostError when the device is or gets lost.
   */
  async read(buffer: DeviceBuffer, offset = 0, length: number = buffer.length - offset): Promise<NumberArray> {
    this.assertUsable('read');
    this.assertOwn('read', buffer);
    this.checkRange('read', buffer, offset, length);
    return length === 0 ? newArray(buffer.dtype, 0) : this.fetch(buffer, offset, length);
  }

  /** Copies `length` elements between two buffers of one dtype on this device. */
  copy(
    source: DeviceBuffer,
    target: DeviceBuffer,
    sourceOffset = 0,
    targetOffset = 0,
    length: number = source.length - sourceOffset,
  ): void {
    this.assertUsable('copy');
    this.assertOwn('copy', source);
    this.assertOwn('copy', target);
    if (source.dtype !== target.dtype) {
      throw new DtypeError(
        `copy: dtypes must agree, got ${source.dtype} ("${source.label}") and ${target.dtype} ("${target.label}")`,
      );
    }
    if (source === target) {
      throw new OptionError(`copy: source and target are the same buffer ("${source.label}"); use two`);
    }
    this.checkRange('copy source', source, sourceOffset, length);
    this.checkRange('copy target', target, targetOffset, length);
    if (length > 0) this.duplicate(source, target, sourceOffset, targetOffset, length);
  }

  /** Sets a buffer to zero. */
  clear(buffer: DeviceBuffer): void {
    this.assertUsable('clear');
    this.assertOwn('clear', buffer);
    this.zero(buffer);
  }

  /** Queues one kernel; while `record` runs, adds it to the program instead. */
  abstract launch<B extends Record<string, Binding>, P extends Record<string, ParamType>>(
    kernel: Kernel<B, P>,
    launch: Launch<B, P>,
  ): void;

  /**
   * Runs `build`, which may only `launch`, `copy` and `clear`, and keeps what it queued as a program to replay.
   * Nothing is executed. Buffers that it names must outlive the program.
   */
  abstract record(build: () => void, label?: string): Program;

  /**
   * Makes ready what `build` will launch: runs it with launches, copies and clears checked but not queued, as `record` does,
   * and compiles the shaders that are missing, all at once and without blocking. What is not prepared is compiled when it is
   * first launched, and what is prepared stays for every later launch, recorded or not. Temporaries of `build` are best
   * taken from an `Arena`, which hands them out again afterwards.
   *
   * @throws what `launch`, `copy` and `clear` throw, before anything is compiled; DeviceError that names a kernel which does not compile;
   *   `signal.reason` on abort, while compilations under way go on for later; DeviceLostError
   * @example
   * ```ts
   * const step = () => device.launch(scale, { buffers: { x, y }, params: { n: 3, a: 2 } })
   * await device.prepare(step)
   * const program = device.record(step)
   * ```
   */
  abstract prepare(build: () => void, options?: { signal?: AbortSignal | undefined }): Promise<void>;

  /** Shaders compiled since the device was made, ahead or at a launch; always 0 where there is nothing to compile. */
  abstract readonly compiledPipelines: number;

  /** Starts what has been queued without waiting for it. */
  abstract flush(): void;

  /** Waits until everything queued is done, and throws what went wrong in it. */
  abstract sync(): Promise<void>;

  /** Resolves with the reason when the device is lost; never when it is disposed in the ordinary way. */
  abstract readonly lost: Promise<Error>;

  /** Whether a kernel has a form for this device, and for WGSL which variants of it the adapter can run. */
  abstract variants(kernel: Kernel): readonly string[];

  /** Releases the device. Buffers must be gone or are gone with it. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.close();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  protected assertUsable(operation: string): void {
    if (this.#disposed) throw new DisposedError(`${operation}: the ${this.kind} device was disposed; create a new one`);
  }

  protected assertOwn(operation: string, buffer: DeviceBuffer): void {
    buffer.assertLive(operation);
    if (buffer.device !== this) {
      throw new DeviceError(
        `${operation}: buffer "${buffer.label}" belongs to another device (${buffer.device.name}), not to this one (${this.name}); copy it through the host first`,
      );
    }
  }

  protected checkRange(operation: string, buffer: DeviceBuffer, offset: number, length: number): void {
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (!whole || offset + length > buffer.length) {
      throw new ShapeError(
        `${operation}: elements ${offset}…${offset + length} are outside buffer "${buffer.label}" of ${buffer.length} ${buffer.dtype}`,
      );
    }
  }

  protected refuseInRecord(operation: string, recording: boolean): void {
    if (recording) {
      throw new DeviceError(
        `${operation}: not possible while a program is recorded or prepared; do it before record() or prepare(), or after run()`,
      );
    }
  }

  protected abstract allocate(dtype: Dtype, length: number, owner: string, label: string): DeviceBuffer;
  protected abstract write(buffer: DeviceBuffer, data: NumberArray, offset: number): void;
  protected abstract fetch(buffer: DeviceBuffer, offset: number, length: number): Promise<NumberArray>;
  protected abstract duplicate(
    source: DeviceBuffer,
    target: DeviceBuffer,
    sourceOffset: number,
    targetOffset: number,
    length: number,
  ): void;
  protected abstract zero(buffer: DeviceBuffer): void;
  protected abstract close(): void;
}

/** Bytes that a buffer takes on any device: contents rounded up to whole 32-bit words. */
export function allocationBytes(dtype: Dtype, length: number): number {
  return Math.max(4, Math.ceil((length * dtypeBytes(dtype)) / 4) * 4);
}
