import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from '@xlstm/device';
import { type SafetensorsLayout, safetensorsLayout, type TensorPlan } from '../safetensors/layout.ts';
import { openSafetensors } from '../safetensors/open-safetensors.ts';
import { fileSource } from './file-source.ts';
import { nodeModules } from './node-modules.ts';
import { syncFolder, writeFully } from './whole-writes.ts';

/** A file that is whole and in its place. */
export interface FinishedFile {
  readonly byteLength: number;
  /** Hexadecimal, of the whole file as it was read back. */
  readonly sha256: string;
}

interface Target {
  readonly offset: number;
  readonly byteLength: number;
  readonly hash: Hash;
  written: number;
}

const READ_BYTES = 4 * 1024 * 1024;

/**
 * Writes a safetensors file by pieces, of several tensors at a time if need be (Node only): under a temporary name until
 * `finish`, which syncs it, reads it back, holds every tensor against a hash of what was written, and renames it. Memory
 * is the caller's pieces alone.
 *
 * @example
 * await using writer = await SafetensorsWriter.create('out/model.safetensors', [{ name: 'w', dtype: 'F32', shape: [2] }]);
 * await writer.write('w', new Float32Array([1, 2]));
 * await writer.finish();
 */
export class SafetensorsWriter implements AsyncDisposable {
  readonly path: string;
  readonly #temporary: string;
  readonly #targets: ReadonlyMap<string, Target>;
  readonly #layout: SafetensorsLayout;
  #handle: FileHandle | undefined;
  #exists = true;

  private constructor(path: string, temporary: string, layout: SafetensorsLayout, handle: FileHandle) {
    const { crypto } = nodeModules('SafetensorsWriter');
    this.path = path;
    this.#temporary = temporary;
    this.#layout = layout;
    this.#handle = handle;
    this.#targets = new Map(
      layout.tensors.map(({ tensor, offset, byteLength }) => [
        tensor.name,
        { offset, byteLength, hash: crypto.createHash('sha256'), written: 0 },
      ]),
    );
  }

  /** Begins the file. What the system refuses is thrown as it comes, with its `code`. */
  static async create(
    path: string,
    tensors: readonly TensorPlan[],
    metadata?: Readonly<Record<string, string>>,
  ): Promise<SafetensorsWriter> {
    const { fs } = nodeModules('SafetensorsWriter');
    const layout = safetensorsLayout(tensors, metadata);
    const temporary = `${path}.partial`;
    const handle = await fs.open(temporary, 'w+');
    const writer = new SafetensorsWriter(path, temporary, layout, handle);
    try {
      await writeFully(handle, layout.header, 0, undefined);
    } catch (error) {
      await writer.discard();
      throw error;
    }
    return writer;
  }

  /** Appends to a tensor. @throws CheckpointError for a tensor that the file has not, or more than it holds. */
  async write(name: string, data: ArrayBufferView, signal?: AbortSignal): Promise<void> {
    const target = this.#targets.get(name);
    if (!target || !this.#handle || target.written + data.byteLength > target.byteLength) {
      throw new CheckpointError(
        `SafetensorsWriter: ${this.path}: expected at most ${target ? target.byteLength - target.written : 0} bytes of ${name}, got ${data.byteLength}; write what was planned, before finish`,
      );
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await writeFully(this.#handle, bytes, target.offset + target.written, signal);
    target.hash.update(bytes);
    target.written += data.byteLength;
  }

  /** @throws CheckpointError when a tensor is not whole, or the disk gives back something else than it was given. */
  async finish(signal?: AbortSignal): Promise<FinishedFile> {
    const { fs, path: paths } = nodeModules('SafetensorsWriter');
    for (const [name, { written, byteLength }] of this.#targets) {
      if (written === byteLength) continue;
      throw new CheckpointError(
        `SafetensorsWriter: ${this.path}: expected ${byteLength} bytes of ${name}, got ${written}; write all of it before finish`,
      );
    }
    await this.#handle?.sync();
    await this.#handle?.close();
    this.#handle = undefined;
    const finished = await this.#readBack(signal);
    await fs.rename(this.#temporary, this.path);
    this.#exists = false;
    await syncFolder(fs, paths.dirname(this.path));
    return finished;
  }

  /** Gives up: the file as it was stays. */
  async discard(): Promise<void> {
    await this.#handle?.close().catch(() => {});
    this.#handle = undefined;
    if (this.#exists) await nodeModules('SafetensorsWriter').fs.rm(this.#temporary, { force: true });
    this.#exists = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard();
  }

  async #readBack(signal: AbortSignal | undefined): Promise<FinishedFile> {
    const { crypto } = nodeModules('SafetensorsWriter');
    const whole = crypto.createHash('sha256');
    const source = await fileSource(this.#temporary);
    try {
      await openSafetensors(source, { signal });
      whole.update(await source.read(0, this.#layout.header.byteLength, signal));
      for (const { tensor, offset, byteLength } of this.#layout.tensors) {
        const hash = crypto.createHash('sha256');
        for (let at = 0; at < byteLength; at += READ_BYTES) {
          const piece = await source.read(offset + at, Math.min(READ_BYTES, byteLength - at), signal);
          hash.update(piece);
          whole.update(piece);
        }
        if (hash.digest('hex') === this.#targets.get(tensor.name)?.hash.digest('hex')) continue;
        throw new CheckpointError(
          `SafetensorsWriter: ${this.path}: ${tensor.name} read back differs from what was written; the disk is failing or another process writes there, check it and try again`,
        );
      }
      return { byteLength: this.#layout.byteLength, sha256: whole.digest('hex') };
    } finally {
      await source.close();
    }
  }
}
