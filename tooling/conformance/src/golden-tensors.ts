import {
  type ByteSource,
  loadTensor,
  openSafetensors,
  readTensorBytes,
  type SafetensorsFile,
  type TensorInfo,
} from '@xlstm/loaders';
import { CaseError, type CaseFiles } from './golden-case.ts';

/** The inputs and expected outputs of a case, read from `tensors.safetensors` one by one. */
export class GoldenTensors {
  readonly #file: SafetensorsFile;

  constructor(file: SafetensorsFile) {
    this.#file = file;
  }

  /** @throws CheckpointError for a damaged file; what `files` says for a missing one. */
  static async open(files: CaseFiles): Promise<GoldenTensors> {
    const source: ByteSource = await files.open('tensors.safetensors');
    try {
      return new GoldenTensors(await openSafetensors(source));
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  get names(): string[] {
    return [...this.#file.tensors.keys()].sort();
  }

  has(name: string): boolean {
    return this.#file.tensors.has(name);
  }

  /** @throws CaseError when there is no such tensor. */
  info(name: string): TensorInfo {
    const info = this.#file.tensors.get(name);
    if (!info) throw new CaseError(`tensors.safetensors: tensor ${name} is missing; fetch the case again`);
    return info;
  }

  shape(name: string): readonly number[] {
    return this.info(name).shape;
  }

  /** A floating-point tensor as float32. */
  floats(name: string): Promise<Float32Array> {
    return loadTensor(this.info(name), 'fp32');
  }

  /** A floating-point tensor that must have that shape. @throws CaseError when it has another. */
  async floatsOf(name: string, shape: readonly number[]): Promise<Float32Array> {
    const actual = this.shape(name);
    if (actual.length !== shape.length || shape.some((size, axis) => size !== actual[axis])) {
      throw new CaseError(
        `tensors.safetensors: ${name} must be [${shape}] as case.json says, got [${actual}]; fetch the case again`,
      );
    }
    return this.floats(name);
  }

  /** A tensor of integers. @throws CaseError when it is of another dtype. */
  async integers(name: string): Promise<number[]> {
    const info = this.info(name);
    const { buffer } = await readTensorBytes(info);
    if (info.dtype === 'I32') return Array.from(new Int32Array(buffer));
    if (info.dtype === 'I64') return Array.from(new BigInt64Array(buffer), Number);
    throw new CaseError(`tensors.safetensors: ${name} must be I32 or I64, got ${info.dtype}`);
  }

  /** The rows of a matrix of integers. @throws CaseError when it is no matrix. */
  async integerRows(name: string): Promise<number[][]> {
    const shape = this.shape(name);
    const [rows, cols] = shape;
    if (shape.length !== 2 || rows === undefined || cols === undefined) {
      throw new CaseError(`tensors.safetensors: ${name} must have two dimensions, got [${shape}]`);
    }
    const all = await this.integers(name);
    return Array.from({ length: rows }, (_, row) => all.slice(row * cols, (row + 1) * cols));
  }

  close(): Promise<void> {
    return this.#file.source.close();
  }
}
