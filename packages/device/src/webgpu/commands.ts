import type { DeviceBuffer } from '../buffer.ts';
import { DisposedError } from '../errors.ts';
import type { ProfiledDispatch, Program } from '../program.ts';
import type { ErrorWatch } from './error-watch.ts';

/** One thing that the queue does, ready to be encoded. */
export type Command =
  | {
      type: 'dispatch';
      /** The kernel's id and its form, for profiles. */
      kernel: string;
      pipeline: GPUComputePipeline;
      bindGroup: GPUBindGroup;
      x: number;
      y: number;
      z: number;
    }
  | {
      type: 'copy';
      source: GPUBuffer;
      target: GPUBuffer;
      sourceOffset: number;
      targetOffset: number;
      size: number;
    }
  | { type: 'clear'; target: GPUBuffer };

/** Encodes a copy or a clear. */
export function encodeTransfer(encoder: GPUCommandEncoder, command: Exclude<Command, { type: 'dispatch' }>): void {
  if (command.type === 'clear') {
    encoder.clearBuffer(command.target);
    return;
  }
  const { source, sourceOffset, target, targetOffset, size } = command;
  encoder.copyBufferToBuffer(source, sourceOffset, target, targetOffset, size);
}

/**
 * Encodes commands into as few passes as ordering allows: dispatches share one pass, in which WebGPU orders them;
 * copies and clears end it.
 */
export class CommandEncoder {
  readonly #device: GPUDevice;
  readonly #watch: ErrorWatch;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #pipeline: GPUComputePipeline | undefined;
  /** Commands encoded since the last submit. */
  pending = 0;

  constructor(device: GPUDevice, watch: ErrorWatch) {
    this.#device = device;
    this.#watch = watch;
  }

  add(command: Command): void {
    this.#encoder ??= this.#device.createCommandEncoder();
    this.pending++;
    if (command.type === 'dispatch') {
      this.#pass ??= this.#encoder.beginComputePass();
      if (this.#pipeline !== command.pipeline) {
        this.#pass.setPipeline(command.pipeline);
        this.#pipeline = command.pipeline;
      }
      this.#pass.setBindGroup(0, command.bindGroup);
      this.#pass.dispatchWorkgroups(command.x, command.y, command.z);
      return;
    }
    this.#endPass();
    encodeTransfer(this.#encoder, command);
  }

  submit(): void {
    if (!this.#encoder) return;
    this.#endPass();
    const encoder = this.#encoder;
    this.#encoder = undefined;
    this.pending = 0;
    // Errors of encoding are told when it is finished.
    this.#watch.guard(() => this.#device.queue.submit([encoder.finish()]));
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
    this.#pipeline = undefined;
  }
}

/** What a program asks of the device that made it. */
export interface ProgramQueue {
  replay(commands: readonly Command[]): void;
  profile(commands: readonly Command[]): Promise<readonly ProfiledDispatch[]>;
}

/** A recorded command list; `replay` queues it on the device that made it. */
export class WebGpuProgram implements Program {
  readonly label: string;
  readonly dispatches: number;
  #commands: readonly Command[] | undefined;
  readonly #buffers: readonly DeviceBuffer[];
  readonly #queue: ProgramQueue;

  constructor(label: string, commands: readonly Command[], buffers: readonly DeviceBuffer[], queue: ProgramQueue) {
    this.label = label;
    this.#commands = commands;
    this.#buffers = buffers;
    this.#queue = queue;
    this.dispatches = commands.filter((command) => command.type === 'dispatch').length;
  }

  run(): void {
    this.#queue.replay(this.#assertUsable('program.run'));
  }

  async profile(): Promise<readonly ProfiledDispatch[]> {
    return this.#queue.profile(this.#assertUsable('program.profile'));
  }

  dispose(): void {
    this.#commands = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #assertUsable(operation: string): readonly Command[] {
    if (!this.#commands) {
      throw new DisposedError(`${operation}: program "${this.label}" was disposed; record it again`);
    }
    for (const buffer of this.#buffers) {
      if (buffer.disposed) buffer.assertLive(`${operation} ("${this.label}")`);
    }
    return this.#commands;
  }
}
