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

/** A recorded list of commands, laid out so that a replay does next to nothing but call WebGPU. */
export class CommandList {
  /** The commands as they came, for profiles. */
  readonly commands: readonly Command[];
  /** What each dispatch needs, in order. */
  readonly pipelines: readonly GPUComputePipeline[];
  readonly bindGroups: readonly GPUBindGroup[];
  readonly xs: readonly number[];
  readonly ys: readonly number[];
  readonly zs: readonly number[];
  /** Copies and clears, each with the number of dispatches before it. */
  readonly transfers: readonly { after: number; command: Exclude<Command, { type: 'dispatch' }> }[];

  constructor(commands: readonly Command[]) {
    this.commands = commands;
    const dispatches = commands.filter((command) => command.type === 'dispatch');
    this.pipelines = dispatches.map(({ pipeline }) => pipeline);
    this.bindGroups = dispatches.map(({ bindGroup }) => bindGroup);
    this.xs = dispatches.map(({ x }) => x);
    this.ys = dispatches.map(({ y }) => y);
    this.zs = dispatches.map(({ z }) => z);
    const transfers: { after: number; command: Exclude<Command, { type: 'dispatch' }> }[] = [];
    let after = 0;
    for (const command of commands) {
      if (command.type === 'dispatch') after++;
      else transfers.push({ after, command });
    }
    this.transfers = transfers;
  }
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

  /** Adds all of a list. */
  replay(list: CommandList): void {
    let from = 0;
    for (const { after, command } of list.transfers) {
      this.#dispatchRange(list, from, after);
      this.add(command);
      from = after;
    }
    this.#dispatchRange(list, from, list.pipelines.length);
  }

  /** The innermost loop of a decoded token: what is not a call to WebGPU is kept out of it. */
  #dispatchRange({ pipelines, bindGroups, xs, ys, zs }: CommandList, from: number, to: number): void {
    if (from === to) return;
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    const pass = this.#pass;
    let current = this.#pipeline;
    for (let at = from; at < to; at++) {
      const pipeline = pipelines[at]!;
      if (pipeline !== current) {
        pass.setPipeline(pipeline);
        current = pipeline;
      }
      pass.setBindGroup(0, bindGroups[at]!);
      const y = ys[at]!;
      const z = zs[at]!;
      // Each argument costs its conversion; those left out are 1.
      if (z !== 1) pass.dispatchWorkgroups(xs[at]!, y, z);
      else if (y !== 1) pass.dispatchWorkgroups(xs[at]!, y);
      else pass.dispatchWorkgroups(xs[at]!);
    }
    this.#pipeline = current;
    this.pending += to - from;
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
  replay(list: CommandList): void;
  profile(commands: readonly Command[]): Promise<readonly ProfiledDispatch[]>;
}

/** A recorded command list; `replay` queues it on the device that made it. */
export class WebGpuProgram implements Program {
  readonly label: string;
  readonly dispatches: number;
  #list: CommandList | undefined;
  readonly #buffers: readonly DeviceBuffer[];
  readonly #queue: ProgramQueue;

  constructor(label: string, commands: readonly Command[], buffers: readonly DeviceBuffer[], queue: ProgramQueue) {
    this.label = label;
    this.#list = new CommandList(commands);
    this.#buffers = buffers;
    this.#queue = queue;
    this.dispatches = this.#list.pipelines.length;
  }

  run(): void {
    this.#queue.replay(this.#assertUsable('program.run'));
  }

  async profile(): Promise<readonly ProfiledDispatch[]> {
    return this.#queue.profile(this.#assertUsable('program.profile').commands);
  }

  dispose(): void {
    this.#list = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #assertUsable(operation: string): CommandList {
    if (!this.#list) {
      throw new DisposedError(`${operation}: program "${this.label}" was disposed; record it again`);
    }
    for (const buffer of this.#buffers) {
      if (buffer.disposed) buffer.assertLive(`${operation} ("${this.label}")`);
    }
    return this.#list;
  }
}
