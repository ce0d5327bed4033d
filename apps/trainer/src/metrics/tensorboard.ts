import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { maskedCrc32c } from './crc32c.ts';
import type { StepMetrics } from './metrics-log.ts';
import { ProtobufMessage } from './protobuf-message.ts';

/** Field numbers of TensorFlow's event.proto, summary.proto and tensor.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SESSION_LOG = { status: 1 } as const;
const SUMMARY = { value: 1 } as const;
const VALUE = { tag: 1, simpleValue: 2, tensor: 8, metadata: 9 } as const;
const METADATA = { pluginData: 1, dataClass: 4 } as const;
const PLUGIN_DATA = { pluginName: 1 } as const;
const TENSOR = { dtype: 1, shape: 2, stringValue: 8 } as const;
const SHAPE = { dimension: 2 } as const;
const DIMENSION = { size: 1 } as const;

const FILE_VERSION = 'brain.Event:2';
const SESSION_START = 1;
const DATA_CLASS_TENSOR = 2;
const DT_STRING = 7;

/** One TFRecord: length, its CRC, the data, its CRC; all little-endian. */
function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return bytes;
}

function scalar(tag: string, value: number): ProtobufMessage {
  return new ProtobufMessage().string(VALUE.tag, tag).float(VALUE.simpleValue, value);
}

/** A value of the text plugin: a vector of one string, which TensorBoard shows as Markdown. */
function text(tag: string, markdown: string): ProtobufMessage {
  const plugin = new ProtobufMessage().string(PLUGIN_DATA.pluginName, 'text');
  const dimension = new ProtobufMessage().integer(DIMENSION.size, 1);
  return new ProtobufMessage()
    .string(VALUE.tag, tag)
    .message(
      VALUE.tensor,
      new ProtobufMessage()
        .integer(TENSOR.dtype, DT_STRING)
        .message(TENSOR.shape, new ProtobufMessage().message(SHAPE.dimension, dimension))
        .string(TENSOR.stringValue, markdown),
    )
    .message(
      VALUE.metadata,
      new ProtobufMessage().message(METADATA.pluginData, plugin).integer(METADATA.dataClass, DATA_CLASS_TENSOR),
    );
}

/** Text that Markdown shows as it is; a single line break would be none there. */
function verbatim(plain: string): string {
  return plain.replace(/[\\`*_{}[\]()#+\-.!|<>~&]/g, '\\$&').replace(/\r?\n/g, '  \n');
}

function values(metrics: StepMetrics): ProtobufMessage[] {
  const list = [
    scalar('loss/train', metrics.loss),
    scalar('lr', metrics.lr),
    scalar('gradient_norm', metrics.gradientNorm),
    scalar('tokens_per_second', metrics.tokensPerSecond),
  ];
  if (metrics.validationLoss !== undefined) list.push(scalar('loss/validation', metrics.validationLoss));
  for (const [length, share] of Object.entries(metrics.accuracy ?? {})) list.push(scalar(`accuracy/${length}`, share));
  for (const [index, sample] of (metrics.samples ?? []).entries()) {
    list.push(
      text(`samples/${index + 1}`, `**${verbatim(sample.prompt) || '(no prompt)'}**\n\n${verbatim(sample.text)}`),
    );
  }
  return list;
}

function seconds(): number {
  return Date.now() / 1000;
}

async function openNew(folder: string): Promise<{ handle: FileHandle; path: string }> {
  await mkdir(folder, { recursive: true });
  const stem = `events.out.tfevents.${String(Math.floor(seconds())).padStart(10, '0')}.xlstm`;
  // TensorBoard reads files in the order of their names.
  for (let attempt = 0; ; attempt++) {
    const path = join(folder, `${stem}.${String(attempt).padStart(3, '0')}`);
    try {
      return { handle: await open(path, 'wx'), path };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/**
 * Writes metrics as TensorBoard event files: `loss/train`, `loss/validation`, `lr`, `gradient_norm`,
 * `tokens_per_second`, `accuracy/<length>` as scalars, `samples/<number>` as texts. The format is that of TFRecord with
 * `Event` messages (TensorFlow's event.proto).
 *
 * @example
 * ```ts
 * const board = await TensorBoardLog.open('runs/stories', 0)
 * await board.add({ step: 1, loss: 8.3, lr: 1e-5, gradientNorm: 2, tokensPerSecond: 5e5, tokens: 32768 })
 * await board.close()
 * ```
 */
export class TensorBoardLog {
  /** The file of this process; a run that was resumed has several. */
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /**
   * Begins a new event file in `<outDir>/tensorboard`, to go on after `step`: TensorBoard drops what earlier files say
   * of later steps, which will come again.
   *
   * @throws CheckpointError when the file cannot be made.
   */
  static async open(outDir: string, step: number): Promise<TensorBoardLog> {
    const folder = join(outDir, 'tensorboard');
    let opened: Awaited<ReturnType<typeof openNew>>;
    try {
      opened = await openNew(folder);
    } catch (cause) {
      throw new CheckpointError(
        `train: cannot write TensorBoard events to ${folder}: ${(cause as Error).message}; choose another out_dir or set logger.tensorboard=false`,
        { cause },
      );
    }
    const log = new TensorBoardLog(opened.path, opened.handle);
    const start = new ProtobufMessage().integer(SESSION_LOG.status, SESSION_START);
    try {
      await log.#write(new ProtobufMessage().double(EVENT.wallTime, seconds()).string(EVENT.fileVersion, FILE_VERSION));
      await log.#write(
        new ProtobufMessage()
          .double(EVENT.wallTime, seconds())
          .integer(EVENT.step, step + 1)
          .message(EVENT.sessionLog, start),
      );
    } catch (error) {
      await log.close();
      throw error;
    }
    return log;
  }

  /** Writes what is known of a step. @throws CheckpointError when the disk refuses. */
  async add(metrics: StepMetrics): Promise<void> {
    const summary = new ProtobufMessage();
    for (const value of values(metrics)) summary.message(SUMMARY.value, value);
    await this.#write(
      new ProtobufMessage()
        .double(EVENT.wallTime, seconds())
        .integer(EVENT.step, metrics.step)
        .message(EVENT.summary, summary),
    );
  }

  /** Closes the file; all that was added is in it. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #write(event: ProtobufMessage): Promise<void> {
    try {
      await this.#handle.appendFile(record(event.bytes()));
    } catch (cause) {
      throw new CheckpointError(
        `train: cannot write ${this.path}: ${(cause as Error).message}; the last checkpoint is whole, make room and resume`,
        { cause },
      );
    }
  }
}
