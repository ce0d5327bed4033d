import type { DeviceBuffer } from '../buffer.ts';
import { allocationBytes, Device, type DeviceInfo } from '../device.ts';
import { type Dtype, dtypeBytes, type NumberArray, newArray } from '../dtypes/index.ts';
import { DeviceError, OutOfMemoryError, ShapeError } from '../errors.ts';
import type { Binding, Kernel, LaunchFacts, ParamType, WebGpuLimits, WebGpuVariant } from '../kernel.ts';
import { checkLaunch, type Launch, packParams } from '../launch.ts';
import type { Program } from '../program.ts';
import { type AdapterOptions, isSoftwareAdapter, requestAdapter } from './adapter.ts';
import { type Command, CommandEncoder, WebGpuProgram } from './commands.ts';
import { ALL_ERRORS, ErrorWatch } from './error-watch.ts';
import { WebGpuBuffer } from './gpu-buffer.ts';
import { checkLowerLimits, descriptorFor, kernelLimits, type LowerLimits, listLimits } from './limits.ts';
import { LossWatch } from './loss-watch.ts';
import { PipelineCache, type PipelineRequest } from './pipelines.ts';
import { profileCommands } from './profile.ts';
import { StagingPool } from './staging.ts';
import { UniformCache } from './uniforms.ts';

/** Eager commands are submitted in groups of this size, so that the GPU starts while the host still queues. */
const SUBMIT_EVERY = 128;
/** Larger pieces have brought a driver down; 2 MiB are as fast. */
const UPLOAD_PIECE_BYTES = 2 * 1024 * 1024;

/** Options of `createWebGpuDevice`. */
export interface WebGpuDeviceOptions extends AdapterOptions {
  /** Your own device, which shares its buffers and queue with us and is never destroyed by us. */
  gpuDevice?: GPUDevice;
  /**
   * Limits to keep to where the adapter offers more, such as `{ maxStorageBufferBindingSize: 2 ** 27 }`: what then works
   * also works on adapters that have no more. They may be below what WebGPU guarantees.
   */
  limits?: LowerLimits;
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
  readonly #loss: LossWatch;
  #recording: { commands: Command[]; buffers: Set<DeviceBuffer> } | undefined;
  /** What launches need compiled, while `prepare` gathers it instead of queueing. */
  #gathering: PipelineRequest[] | undefined;

  constructor(gpu: GPUDevice, owned: boolean, lower: LowerLimits = {}) {
    super();
    const limits = listLimits(gpu.limits, lower);
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
      limits,
    };
    this.maxBufferBytes = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
    this.kernelLimits = kernelLimits(gpu, limits);
    this.#watch = new ErrorWatch(gpu, !owned);
    this.#encoder = new CommandEncoder(gpu, this.#watch);
    this.#pipelines = new PipelineCache(gpu, this.kernelLimits, this.#watch);
    this.#uniforms = new UniformCache(gpu);
    this.#staging = new StagingPool(gpu);
    this.#loss = new LossWatch(gpu);
    this.lost = this.#loss.lost;
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
    if (this.#gathering) {
      this.#gathering.push(this.#pipelines.request(plain, variant, facts));
      return;
    }
    const bound = this.#watch.guard(() => this.#bind(plain, variant, facts, buffers));
    this.#queue({ type: 'dispatch', kernel: `${kernel.id}/${variant.name}`, ...bound, x, y, z });
  }

  record(build: () => void, label = 'program'): Program {
    this.assertUsable('record');
    this.refuseInRecord('record', this.#building);
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
      this.refuseInRecord(operation, this.#building);
    };
    return new WebGpuProgram(label, recording.commands, [...recording.buffers], {
      replay: (list) => {
        assertIdle('program.run');
        this.#encoder.replay(list);
      },
      profile: async (commands) => {
        assertIdle('program.profile');
        await this.sync();
        return profileCommands(this.gpu, commands);
      },
    });
  }

  async prepare(build: () => void, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.assertUsable('prepare');
    this.refuseInRecord('prepare', this.#building);
    const { signal } = options;
    signal?.throwIfAborted();
    const gathered: PipelineRequest[] = [];
    this.#gathering = gathered;
    try {
      build();
    } finally {
      this.#gathering = undefined;
    }
    const failure = await this.#loss.orLost('prepare', this.#pipelines.compileAll(gathered), signal);
    if (!failure) return;
    // Losing the device fails what is being compiled, some time before it is told.
    await this.#loss.orLost('prepare', this.gpu.queue.onSubmittedWorkDone());
    throw failure;
  }

  get compiledPipelines(): number {
    return this.#pipelines.compiled;
  }

  /** Whether launches are gathered for a program, or to be compiled. */
  get #building(): boolean {
    return this.#recording !== undefined || this.#gathering !== undefined;
  }

  flush(): void {
    this.assertUsable('flush');
    this.#encoder.submit();
  }

  async sync(): Promise<void> {
    this.assertUsable('sync');
    this.refuseInRecord('sync', this.#building);
    this.#encoder.submit();
    await this.#loss.orLost('sync', this.gpu.queue.onSubmittedWorkDone());
    await this.#loss.orLost('sync', this.#watch.judged());
    this.#watch.throwFailure();
  }

  variants(kernel: Kernel): readonly string[] {
    return this.#pipelines.available(kernel).map((variant) => variant.name);
  }

  protected override assertUsable(operation: string): void {
    this.#loss.assertThere(operation);
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
      if (!this.#loss.isLost && !this.disposed) this.#encoder.submit();
      this.ledger.remove(owner, bytes);
    });
  }

  protected write(buffer: DeviceBuffer, data: NumberArray, offset: number): void {
    this.refuseInRecord('upload', this.#building);
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
    this.refuseInRecord('read', this.#building);
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
      await this.#loss.orLost('read', mapping);
      await this.#loss.orLost('read', this.#watch.judged());
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
    this.#loss.close();
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
    const { pipeline, layout } = this.#pipelines.get(this.#pipelines.request(kernel, variant, facts));
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
    if (this.#gathering) return;
    if (this.#recording) {
      this.#recording.commands.push(command);
      return;
    }
    this.#encoder.add(command);
    if (this.#encoder.pending >= SUBMIT_EVERY) this.#encoder.submit();
  }
}

/**
 * Creates a WebGPU device with all features and limits of its adapter that kernels can use.
 *
 * @throws DeviceError that says why there is no adapter, or which of `limits` it does not have; OptionError for an unknown limit
 * @example
 * ```ts
 * using device = await createWebGpuDevice()
 * const buffer = device.from('fp32', new Float32Array([1, 2, 3]))
 * await device.read(buffer) // Float32Array [1, 2, 3]
 * ```
 */
export async function createWebGpuDevice(options: WebGpuDeviceOptions = {}): Promise<WebGpuDevice> {
  const { gpuDevice, limits } = options;
  if (gpuDevice) {
    checkLowerLimits(gpuDevice.limits, limits ?? {});
    return new WebGpuDevice(gpuDevice, false, limits);
  }
  const adapter = await requestAdapter(options);
  const descriptor = descriptorFor(adapter, limits);
  let gpu: GPUDevice;
  try {
    gpu = await adapter.requestDevice(descriptor);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError(`webgpu: the adapter gave no device (${text}); close other users of the GPU or use cpu`, {
      cause,
    });
  }
  return new WebGpuDevice(gpu, true, limits);
}
