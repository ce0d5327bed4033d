import type { DeviceBuffer } from '../buffer.ts';
import { allocationBytes, Device, type DeviceInfo } from '../device.ts';
import { type Dtype, dtypeBytes, type NumberArray, newArray } from '../dtypes/index.ts';
import { DeviceError, DeviceLostError, OutOfMemoryError, ShapeError } from '../errors.ts';
import type { Binding, Kernel, LaunchFacts, ParamType, WebGpuLimits, WebGpuVariant } from '../kernel.ts';
import { checkLaunch, type Launch, packParams } from '../launch.ts';
import type { Program } from '../program.ts';
import { type AdapterOptions, isSoftwareAdapter, requestAdapter } from './adapter.ts';
import { type Command, CommandEncoder, WebGpuProgram } from './commands.ts';
import { ALL_ERRORS, ErrorWatch } from './error-watch.ts';
import { WebGpuBuffer } from './gpu-buffer.ts';
import { descriptorFor, kernelLimits, listLimits } from './limits.ts';
import { PipelineCache } from './pipelines.ts';
import { profileCommands } from './profile.ts';
import { StagingPool } from './staging.ts';
import { UniformCache } from './uniforms.ts';

/** Eager commands are submitted in groups of this size, so that the GPU starts while the host still queues. */
const SUBMIT_EVERY = 128;
/** A busy browser may take this long from refusing a map to saying that the device is lost. */
const LOSS_NOTICE_MS = 2000;
/** Larger pieces have brought a driver down; 2 MiB are as fast. */
const UPLOAD_PIECE_BYTES = 2 * 1024 * 1024;

/** Options of `createWebGpuDevice`. */
export interface WebGpuDeviceOptions extends AdapterOptions {
  /** Your own device, which shares its buffers and queue with us and is never destroyed by us. */
  gpuDevice?: GPUDevice;
}

/** A GPU through WebGPU: in a browser, or in Node through Dawn. Made by `createWebGpuDevice`. */
export class WebGpuDevice extends Device {
  readonly kind = 'webgpu';
  readonly info: DeviceInfo;
  readonly maxBufferBytes: number;
  readonly memoryBytes = undefined;
  readonly lost: Promise<Error>;
  /** The WebGPU object, for callers that mix in their own passes. */
  readonly gpu: GPUDevice;
  /** The limits that kernel forms are chosen by. */
  readonly kernelLimits: WebGpuLimits;
  readonly #owned: boolean;
  readonly #encoder: CommandEncoder;
  readonly #pipelines: PipelineCache;
  readonly #uniforms: UniformCache;
  readonly #staging: StagingPool;
  /** By binding: what stands for absent buffers. One for all would be bound twice, which a written one must not be. */
  readonly #absent: (GPUBuffer | undefined)[] = [];
  readonly #watch: ErrorWatch;
  #recording: { commands: Command[]; buffers: Set<DeviceBuffer> } | undefined;
  #lostError: DeviceLostError | undefined;
  /** Rejects what waits for the GPU, once it is lost. One reaction on `gpu.lost` serves all of it. */
  readonly #pending = new Set<(error: DeviceLostError) => void>();

  constructor(gpu: GPUDevice, owned: boolean) {
    super();
    this.gpu = gpu;
    this.#owned = owned;
    const adapter = gpu.adapterInfo as GPUAdapterInfo;
    this.info = {
      kind: 'webgpu',
      name: adapter?.description || adapter?.device || adapter?.architecture || adapter?.vendor || 'WebGPU device',
      vendor: adapter?.vendor ?? '',
      architecture: adapter?.architecture ?? '',
      software: adapter ? isSoftwareAdapter(adapter) : false,
      features: [...gpu.features].sort(),
      limits: listLimits(gpu.limits),
    };
    this.maxBufferBytes = Math.min(gpu.limits.maxBufferSize, gpu.limits.maxStorageBufferBindingSize);
    this.kernelLimits = kernelLimits(gpu);
    this.#watch = new ErrorWatch(gpu, !owned);
    this.#encoder = new CommandEncoder(gpu, this.#watch);
    this.#pipelines = new PipelineCache(gpu, this.kernelLimits, this.#watch);
    this.#uniforms = new UniformCache(gpu);
    this.#staging = new StagingPool(gpu);
    this.lost = gpu.lost.then((info) => {
      const error = new DeviceLostError(
        `webgpu: the device was lost (${info.reason || 'unknown'}: ${info.message || 'no message'}); create a new device and load the model again`,
      );
      if (this.disposed) return new Promise<Error>(() => {});
      this.#lostError = error;
      for (const reject of [...this.#pending]) reject(error);
      return error;
    });
  }

  launch<B extends Record<string, Binding>, P extends Record<string, ParamType>>(
    kernel: Kernel<B, P>,
    launch: Launch<B, P>,
  ): void {
    this.assertUsable(kernel.id);
    const plain = kernel as unknown as Kernel;
    const buffers = launch.buffers as Record<string, DeviceBuffer | undefined>;
    const facts = checkLaunch(this, plain, { buffers, params: launch.params });
    const variant = this.#pipelines.choose(plain, facts, launch.variant);
    const [x, y, z] = variant.workgroups(facts, this.kernelLimits);
    const most = this.kernelLimits.maxWorkgroupsPerDimension;
    if (x > most || y > most || z > most) {
      throw new ShapeError(
        `${kernel.id}: the grid ${x} x ${y} x ${z} exceeds this adapter's ${most} workgroups a dimension; pass smaller pieces`,
      );
    }
    if (x === 0 || y === 0 || z === 0) return;
    const bound = this.#watch.guard(() => this.#bind(plain, variant, facts, buffers));
    this.#queue({ type: 'dispatch', kernel: `${kernel.id}/${variant.name}`, ...bound, x, y, z });
  }

  record(build: () => void, label = 'program'): Program {
    this.assertUsable('record');
    this.refuseInRecord('record', this.#recording !== undefined);
    const recording = { commands: [] as Command[], buffers: new Set<DeviceBuffer>() };
    this.#recording = recording;
    try {
      build();
    } finally {
      this.#recording = undefined;
    }
    recording.buffers.delete(undefined as unknown as DeviceBuffer);
    const assertIdle = (operation: string) => {
      this.assertUsable(`${operation} ("${label}")`);
      this.refuseInRecord(operation, this.#recording !== undefined);
    };
    return new WebGpuProgram(label, recording.commands, [...recording.buffers], {
      replay: (commands) => {
        assertIdle('program.run');
        for (const command of commands) this.#encoder.add(command);
      },
      profile: async (commands) => {
        assertIdle('program.profile');
        await this.sync();
        return profileCommands(this.gpu, commands);
      },
    });
  }

  flush(): void {
    this.assertUsable('flush');
    this.#encoder.submit();
  }

  async sync(): Promise<void> {
    this.assertUsable('sync');
    this.refuseInRecord('sync', this.#recording !== undefined);
    this.#encoder.submit();
    await this.#orLost('sync', this.gpu.queue.onSubmittedWorkDone());
    await this.#orLost('sync', this.#watch.judged());
    this.#watch.throwFailure();
  }

  variants(kernel: Kernel): readonly string[] {
    return this.#pipelines.available(kernel).map((variant) => variant.name);
  }

  protected override assertUsable(operation: string): void {
    if (this.#lostError) throw new DeviceLostError(`${operation}: ${this.#lostError.message}`);
    super.assertUsable(operation);
  }

  protected allocate(dtype: Dtype, length: number, owner: string, label: string): DeviceBuffer {
    const bytes = allocationBytes(dtype, length);
    if (bytes > this.maxBufferBytes) {
      throw new OutOfMemoryError(
        `alloc: "${label}" needs ${bytes} bytes, this adapter binds at most ${this.maxBufferBytes}; use a smaller dtype or another device`,
      );
    }
    const usage = 0x80 | 0x04 | 0x08; // STORAGE, COPY_SRC, COPY_DST
    const gpu = this.#watch.guard(() => this.gpu.createBuffer({ label, size: bytes, usage }), ALL_ERRORS);
    this.ledger.add(owner, bytes);
    return new WebGpuBuffer(this, gpu, dtype, length, owner, label, () => {
      // Commands that name the buffer must be submitted before it is destroyed.
      if (!this.#lostError && !this.disposed) this.#encoder.submit();
      this.ledger.remove(owner, bytes);
    });
  }

  protected write(buffer: DeviceBuffer, data: NumberArray, offset: number): void {
    this.refuseInRecord('upload', this.#recording !== undefined);
    this.#encoder.submit();
    const size = dtypeBytes(buffer.dtype);
    const start = offset * size;
    let bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (start % 4 !== 0 || (bytes.length % 4 !== 0 && offset + data.length !== buffer.length)) {
      throw new ShapeError(
        `upload: 16-bit elements ${offset}…${offset + data.length} of "${buffer.label}" do not fall on whole 32-bit words; upload an even range`,
      );
    }
    if (bytes.length % 4 !== 0) {
      const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
      padded.set(bytes);
      bytes = padded;
    }
    const { gpu } = buffer as WebGpuBuffer;
    this.#watch.guard(() => {
      for (let at = 0; at < bytes.length; at += UPLOAD_PIECE_BYTES) {
        const piece = bytes.subarray(at, at + UPLOAD_PIECE_BYTES);
        this.gpu.queue.writeBuffer(gpu, start + at, piece as Uint8Array<ArrayBuffer>);
      }
    });
  }

  protected async fetch(buffer: DeviceBuffer, offset: number, length: number): Promise<NumberArray> {
    this.refuseInRecord('read', this.#recording !== undefined);
    const size = dtypeBytes(buffer.dtype);
    const start = Math.floor((offset * size) / 4) * 4;
    const end = Math.ceil(((offset + length) * size) / 4) * 4;
    const staging = this.#watch.guard(() => this.#staging.take(end - start), ALL_ERRORS);
    this.#encoder.add({
      type: 'copy',
      source: (buffer as WebGpuBuffer).gpu,
      target: staging.buffer,
      sourceOffset: start,
      targetOffset: 0,
      size: end - start,
    });
    this.#encoder.submit();
    try {
      const mapping = this.#watch.guard(() => staging.buffer.mapAsync(1, 0, end - start)); // GPUMapMode.READ
      await this.#orLost('read', mapping);
      await this.#orLost('read', this.#watch.judged());
      const mapped = staging.buffer.getMappedRange(0, end - start);
      const skip = offset * size - start;
      const result = newArray(buffer.dtype, length, mapped.slice(skip, skip + length * size));
      staging.buffer.unmap();
      this.#watch.throwFailure();
      return result;
    } finally {
      this.#staging.giveBack(staging);
    }
  }

  protected duplicate(
    source: DeviceBuffer,
    target: DeviceBuffer,
    sourceOffset: number,
    targetOffset: number,
    length: number,
  ): void {
    const size = dtypeBytes(source.dtype);
    // Buffers are allocated in whole words, so two ends that coincide may be copied with their padding.
    const whole = sourceOffset + length === source.length && targetOffset + length === target.length;
    const bytes = whole ? Math.ceil((length * size) / 4) * 4 : length * size;
    if ((sourceOffset * size) % 4 !== 0 || (targetOffset * size) % 4 !== 0 || bytes % 4 !== 0) {
      throw new ShapeError(
        `copy: 16-bit ranges must fall on whole 32-bit words, got ${length} elements from ${sourceOffset} to ${targetOffset}`,
      );
    }
    this.#recording?.buffers.add(source).add(target);
    this.#queue({
      type: 'copy',
      source: (source as WebGpuBuffer).gpu,
      target: (target as WebGpuBuffer).gpu,
      sourceOffset: sourceOffset * size,
      targetOffset: targetOffset * size,
      size: bytes,
    });
  }

  protected zero(buffer: DeviceBuffer): void {
    this.#recording?.buffers.add(buffer);
    this.#queue({ type: 'clear', target: (buffer as WebGpuBuffer).gpu });
  }

  protected close(): void {
    this.#watch.close();
    this.#staging.dispose();
    this.#uniforms.dispose();
    for (const buffer of this.#absent) buffer?.destroy();
    if (this.#owned) this.gpu.destroy();
  }

  /** The pipeline of a kernel's form, and its bindings: buffers in order, then the parameters. */
  #bind(
    kernel: Kernel,
    variant: WebGpuVariant,
    facts: LaunchFacts,
    buffers: Record<string, DeviceBuffer | undefined>,
  ): { pipeline: GPUComputePipeline; bindGroup: GPUBindGroup } {
    const { pipeline, layout } = this.#pipelines.prepare(kernel, variant, facts);
    const entries: GPUBindGroupEntry[] = [];
    for (const name of Object.keys(kernel.bindings)) {
      const buffer = buffers[name];
      this.#recording?.buffers.add(buffer as DeviceBuffer);
      entries.push({
        binding: entries.length,
        resource: { buffer: buffer ? (buffer as WebGpuBuffer).gpu : this.#absentAt(entries.length) },
      });
    }
    if (Object.keys(kernel.params).length > 0) {
      const uniform = this.#uniforms.get(packParams(kernel, facts.params));
      entries.push({ binding: entries.length, resource: { buffer: uniform } });
    }
    return { pipeline, bindGroup: this.gpu.createBindGroup({ label: kernel.id, layout, entries }) };
  }

  #absentAt(binding: number): GPUBuffer {
    this.#absent[binding] ??= this.gpu.createBuffer({ label: 'absent', size: 16, usage: 0x80 }); // STORAGE
    return this.#absent[binding];
  }

  #queue(command: Command): void {
    if (this.#recording) {
      this.#recording.commands.push(command);
      return;
    }
    this.#encoder.add(command);
    if (this.#encoder.pending >= SUBMIT_EVERY) this.#encoder.submit();
  }

  /** Waits for a WebGPU promise; turns its failure, or the loss of the device meanwhile, into a typed error. */
  #orLost<T>(operation: string, promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onLost = (error: DeviceLostError) => {
        this.#pending.delete(onLost);
        reject(new DeviceLostError(`${operation}: ${error.message}`));
      };
      this.#pending.add(onLost);
      promise.then(
        (value) => {
          this.#pending.delete(onLost);
          resolve(value);
        },
        (cause: unknown) => {
          // A loss may reject pending maps just before `lost` resolves: give it a moment to say so.
          setTimeout(
            () => {
              if (!this.#pending.delete(onLost)) return;
              const text = cause instanceof Error ? cause.message : String(cause);
              reject(new DeviceError(`${operation}: webgpu refused: ${text}`, { cause }));
            },
            this.disposed ? 0 : LOSS_NOTICE_MS,
          );
        },
      );
    });
  }
}

/**
 * Creates a WebGPU device with all features and limits of its adapter that kernels can use.
 *
 * @throws DeviceError that says why there is no adapter.
 * @example
 * ```ts
 * using device = await createWebGpuDevice()
 * const buffer = device.from('fp32', new Float32Array([1, 2, 3]))
 * await device.read(buffer) // Float32Array [1, 2, 3]
 * ```
 */
export async function createWebGpuDevice(options: WebGpuDeviceOptions = {}): Promise<WebGpuDevice> {
  if (options.gpuDevice) return new WebGpuDevice(options.gpuDevice, false);
  const adapter = await requestAdapter(options);
  let gpu: GPUDevice;
  try {
    gpu = await adapter.requestDevice(descriptorFor(adapter));
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError(`webgpu: the adapter gave no device (${text}); close other users of the GPU or use cpu`, {
      cause,
    });
  }
  return new WebGpuDevice(gpu, true);
}
