import { DeviceBuffer } from '../buffer.ts';
import { allocationBytes, Device, type DeviceInfo } from '../device.ts';
import { type Dtype, type NumberArray, newArray } from '../dtypes/index.ts';
import { DeviceError, DisposedError, OutOfMemoryError } from '../errors.ts';
import type { Binding, Kernel, ParamType, WeightView } from '../kernel.ts';
import { checkLaunch, type Launch } from '../launch.ts';
import type { ProfiledDispatch, Program } from '../program.ts';
import { hostMemoryBytes } from './host-memory.ts';

/** A buffer in host memory. */
class CpuBuffer extends DeviceBuffer {
  data: NumberArray;
  /** What references get for a binding that takes several dtypes; made once. */
  readonly weights: WeightView;
  readonly #onRelease: () => void;

  constructor(device: CpuDevice, dtype: Dtype, length: number, owner: string, label: string, onRelease: () => void) {
    super(device, dtype, length, owner, label);
    this.data = newArray(dtype, length);
    this.weights = { dtype, data: this.data as Float32Array | Uint16Array };
    this.#onRelease = onRelease;
  }

  protected release(): void {
    this.data = newArray(this.dtype, 0);
    this.weights.data = this.data as Float32Array | Uint16Array;
    this.#onRelease();
  }
}

/** One thing that the queue does. */
interface Command {
  /** The kernel's id; absent for copies and clears. */
  kernel?: string;
  run: () => void;
}

/** What `record` gathers. */
interface Recording {
  commands: Command[];
  buffers: Set<DeviceBuffer>;
}

class CpuProgram implements Program {
  readonly label: string;
  readonly dispatches: number;
  #commands: readonly Command[] | undefined;
  readonly #buffers: ReadonlySet<DeviceBuffer>;
  readonly #check: () => void;

  constructor(label: string, { commands, buffers }: Recording, check: () => void) {
    this.label = label;
    this.#commands = commands;
    this.#buffers = buffers;
    this.dispatches = commands.filter(({ kernel }) => kernel !== undefined).length;
    this.#check = check;
  }

  run(): void {
    for (const command of this.#usable('program.run')) command.run();
  }

  async profile(): Promise<readonly ProfiledDispatch[]> {
    const timed: ProfiledDispatch[] = [];
    for (const { kernel, run } of this.#usable('program.profile')) {
      const start = performance.now();
      run();
      if (kernel !== undefined) timed.push({ kernel, milliseconds: performance.now() - start });
    }
    return timed;
  }

  dispose(): void {
    this.#commands = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #usable(operation: string): readonly Command[] {
    if (!this.#commands) {
      throw new DisposedError(`${operation}: program "${this.label}" was disposed; record it again`);
    }
    this.#check();
    for (const buffer of this.#buffers) {
      if (buffer.disposed) buffer.assertLive(`${operation} ("${this.label}")`);
    }
    return this.#commands;
  }
}

/** A binding that always holds one dtype reaches the reference as a plain typed array, others with their dtype. */
function viewOf(binding: Binding, buffer: CpuBuffer | undefined): NumberArray | WeightView | undefined {
  if (!buffer) return undefined;
  return binding.dtypes.length === 1 ? buffer.data : buffer.weights;
}

/**
 * The device that every machine has: it runs the kernels' reference implementations, at once and in order.
 * It is the oracle of the tests and the fallback of `auto`.
 */
export class CpuDevice extends Device {
  readonly kind = 'cpu';
  readonly info: DeviceInfo;
  readonly maxBufferBytes: number = 2 ** 33;
  readonly memoryBytes: number | undefined = hostMemoryBytes();
  readonly compiledPipelines = 0;
  readonly lost: Promise<Error> = new Promise(() => {});
  #recording: Recording | undefined;

  constructor() {
    super();
    this.info = {
      kind: 'cpu',
      name: 'CPU',
      vendor: '',
      architecture: typeof process === 'undefined' ? 'javascript' : process.arch,
      software: false,
      features: [],
      limits: { maxBufferBytes: this.maxBufferBytes },
    };
  }

  launch<B extends Record<string, Binding>, P extends Record<string, ParamType>>(
    kernel: Kernel<B, P>,
    launch: Launch<B, P>,
  ): void {
    this.assertUsable(kernel.id);
    const plain = kernel as unknown as Kernel;
    const buffers = launch.buffers as Record<string, DeviceBuffer | undefined>;
    checkLaunch(this, plain, { buffers, params: launch.params });
    const reference = plain.reference;
    if (!reference) {
      throw new DeviceError(`${kernel.id}: this kernel has no reference implementation, which the cpu device runs`);
    }
    const params = { ...launch.params };
    const bound = Object.entries(plain.bindings).map(
      ([name, binding]) => [name, binding, buffers[name] as CpuBuffer | undefined] as const,
    );
    const run = () => {
      const views: Record<string, NumberArray | WeightView | undefined> = {};
      for (const [name, binding, buffer] of bound) views[name] = viewOf(binding, buffer);
      (reference as (views: unknown, params: unknown) => void)(views, params);
    };
    for (const [, , buffer] of bound) if (buffer) this.#recording?.buffers.add(buffer);
    this.#queue({ kernel: kernel.id, run });
  }

  record(build: () => void, label = 'program'): Program {
    this.assertUsable('record');
    this.refuseInRecord('record', this.#recording !== undefined);
    const recording: Recording = { commands: [], buffers: new Set() };
    this.#recording = recording;
    try {
      build();
    } finally {
      this.#recording = undefined;
    }
    return new CpuProgram(label, recording, () => {
      this.assertUsable(`program.run ("${label}")`);
      this.refuseInRecord('program.run', this.#recording !== undefined);
    });
  }

  async prepare(build: () => void, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.record(build, 'prepare').dispose();
  }

  flush(): void {
    this.assertUsable('flush');
  }

  async sync(): Promise<void> {
    this.assertUsable('sync');
    this.refuseInRecord('sync', this.#recording !== undefined);
    // Launches block; a macrotask between them lets signals, timers and input through.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  variants(kernel: Kernel): readonly string[] {
    return kernel.reference ? ['reference'] : [];
  }

  protected allocate(dtype: Dtype, length: number, owner: string, label: string): DeviceBuffer {
    const bytes = allocationBytes(dtype, length);
    if (bytes > this.maxBufferBytes) {
      throw new OutOfMemoryError(
        `alloc: "${label}" needs ${bytes} bytes, one buffer holds at most ${this.maxBufferBytes}; split it`,
      );
    }
    try {
      const buffer = new CpuBuffer(this, dtype, length, owner, label, () => this.ledger.remove(owner, bytes));
      this.ledger.add(owner, bytes);
      return buffer;
    } catch (cause) {
      throw new OutOfMemoryError(`alloc: no memory for "${label}" (${bytes} bytes)`, { cause });
    }
  }

  protected write(buffer: DeviceBuffer, data: NumberArray, offset: number): void {
    this.refuseInRecord('upload', this.#recording !== undefined);
    (buffer as CpuBuffer).data.set(data, offset);
  }

  protected async fetch(buffer: DeviceBuffer, offset: number, length: number): Promise<NumberArray> {
    this.refuseInRecord('read', this.#recording !== undefined);
    return (buffer as CpuBuffer).data.slice(offset, offset + length);
  }

  protected duplicate(
    source: DeviceBuffer,
    target: DeviceBuffer,
    sourceOffset: number,
    targetOffset: number,
    length: number,
  ): void {
    this.#recording?.buffers.add(source).add(target);
    const run = () => {
      const view = (source as CpuBuffer).data.subarray(sourceOffset, sourceOffset + length);
      (target as CpuBuffer).data.set(view, targetOffset);
    };
    this.#queue({ run });
  }

  protected zero(buffer: DeviceBuffer): void {
    this.#recording?.buffers.add(buffer);
    this.#queue({ run: () => (buffer as CpuBuffer).data.fill(0) });
  }

  protected close(): void {}

  #queue(command: Command): void {
    if (this.#recording) this.#recording.commands.push(command);
    else command.run();
  }
}

/** Creates the CPU device. It needs nothing and always works. */
export function createCpuDevice(): CpuDevice {
  return new CpuDevice();
}
