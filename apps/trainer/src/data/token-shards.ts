import { DataError } from './data-error.ts';
import { HEADER_BYTES, tokenFileHeader, toLittleEndian } from './token-file.ts';
import { WholeFile } from './whole-file.ts';

export interface Shard {
  readonly path: string;
  readonly tokens: number;
}

export interface ShardWriterOptions {
  /** Names the shards `<prefix>-00000.bin`, `<prefix>-00001.bin`, … */
  readonly prefix: string;
  /** Decides the width: uint16 up to 65,536 ids, uint32 above. */
  readonly vocabSize: number;
  /** Most tokens in a shard. */
  readonly shardTokens?: number | undefined;
}

/** 256 MiB of uint16; also far below the 2^31 that llm.c's header can count. */
const SHARD_TOKENS = 2 ** 27;
const BUFFER_TOKENS = 2 ** 18;

/** Writes a stream of ids into token files in llm.c's format, each of which appears only when it is whole. */
export class ShardWriter {
  readonly #prefix: string;
  readonly #vocabSize: number;
  readonly #shardTokens: number;
  readonly #buffer: Uint16Array | Uint32Array;
  readonly #finished: Shard[] = [];
  #buffered = 0;
  #written = 0;
  #file: WholeFile | undefined;

  constructor(options: ShardWriterOptions) {
    this.#prefix = options.prefix;
    this.#vocabSize = options.vocabSize;
    this.#shardTokens = options.shardTokens ?? SHARD_TOKENS;
    const length = Math.min(BUFFER_TOKENS, this.#shardTokens);
    this.#buffer = options.vocabSize <= 65536 ? new Uint16Array(length) : new Uint32Array(length);
  }

  /** @throws DataError when an id is outside of the vocabulary, or the disk is full */
  async add(ids: ArrayLike<number>): Promise<void> {
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (!Number.isInteger(id) || id < 0 || id >= this.#vocabSize) {
        throw new DataError(
          `writing tokens: expected ids of 0 … ${this.#vocabSize - 1}, got ${id} from the tokenizer; hand in the vocabulary size that belongs to it`,
        );
      }
      this.#buffer[this.#buffered++] = id;
      const full = this.#written + this.#buffered === this.#shardTokens;
      if (full || this.#buffered === this.#buffer.length) await this.#flush();
      if (full) await this.#finishShard();
    }
  }

  /** The shards in order, all of them on the disk. */
  async finish(): Promise<Shard[]> {
    await this.#flush();
    await this.#finishShard();
    return this.#finished;
  }

  /** Removes the unfinished shard. */
  async discard(): Promise<void> {
    await this.#file?.discard();
    this.#file = undefined;
  }

  async #flush(): Promise<void> {
    if (this.#buffered === 0) return;
    if (this.#file === undefined) {
      const number = String(this.#finished.length).padStart(5, '0');
      this.#file = await WholeFile.create(`${this.#prefix}-${number}.bin`);
      await this.#file.write(new Uint8Array(HEADER_BYTES));
    }
    await this.#file.write(toLittleEndian(this.#buffer.subarray(0, this.#buffered)));
    this.#written += this.#buffered;
    this.#buffered = 0;
  }

  async #finishShard(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await file.write(tokenFileHeader(this.#buffer.BYTES_PER_ELEMENT as 2 | 4, this.#written), 0);
    await file.finish();
    this.#finished.push({ path: file.path, tokens: this.#written });
    this.#file = undefined;
    this.#written = 0;
  }
}
