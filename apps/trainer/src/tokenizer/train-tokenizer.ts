import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { OptionError } from '@xlstm/device';
import { makeFolder } from '@xlstm/loaders';
import { trainByteLevelBpe } from '@xlstm/tokenizer';
import { DataError, fileFailure } from '../data/data-error.ts';
import { readDocuments } from '../data/tokenize-files.ts';
import { writeWhole } from '../data/whole-file.ts';
import type { CommandCallbacks } from './command-callbacks.ts';
import { DOCUMENT_SEPARATOR, findTextFiles, type TextFiles, type TextFilesOptions } from './text-files.ts';

export interface TrainTokenizerOptions extends TextFilesOptions {
  /** Entries in all, bytes and special tokens included. */
  readonly vocabSize: number;
  /** The `tokenizer.json` to write. Folders to it are made. */
  readonly out: string;
  /** Write over a file that is there. */
  readonly force?: boolean | undefined;
  /** Have the ids from 0 (default `['<|endoftext|>']`). */
  readonly specialTokens?: readonly string[] | undefined;
  /** Pairs that come less often are not merged (default 2). */
  readonly minFrequency?: number | undefined;
}

/** What came of a training. */
export interface TrainedTokenizer {
  /** Absolute. */
  readonly path: string;
  /** Entries; fewer than asked for when the text does not give more. */
  readonly vocabSize: number;
  readonly documents: number;
  /** Of the documents, in UTF-8. */
  readonly bytes: number;
}

/**
 * `xlstm-train tokenizer`: learns a byte-level BPE tokenizer from text files and writes its `tokenizer.json`, whole or
 * not at all.
 *
 * @throws OptionError for options out of range and when `out` is there already and `force` is not set; DataError when
 * there is no text, a file is no text, or `out` cannot be written; the signal's reason when aborted. `out` is then as it
 * was.
 * @example
 * await trainTokenizer({ text: ['books/*.txt'], vocabSize: 4096, out: 'tokenizer.json' }, { write: console.log });
 */
export async function trainTokenizer(
  options: TrainTokenizerOptions,
  { write, onProgress, signal }: CommandCallbacks,
): Promise<TrainedTokenizer> {
  const path = resolve(options.baseDir ?? process.cwd(), options.out);
  await checkOut(path, options.force === true);
  const found = await findTextFiles('training a tokenizer', options);
  const read = { documents: 0, bytes: 0 };
  const json = await trainByteLevelBpe(textsOf(found, options, read, signal), {
    vocabSize: options.vocabSize,
    specialTokens: options.specialTokens,
    minFrequency: options.minFrequency,
    signal,
    onProgress: ({ phase, done, total }) => {
      if (phase === 'counting') onProgress?.('counting words', Math.min(1, read.bytes / Math.max(1, found.bytes)));
      else onProgress?.('merging', done / total!);
    },
  });

  await makeFolder(dirname(path)).catch((error) => {
    throw fileFailure('cannot make the folder', dirname(path), error);
  });
  signal?.throwIfAborted();
  await writeWhole(path, `${JSON.stringify(json, null, 2)}\n`);

  const vocabSize = Object.keys(json.model.vocab).length;
  write(
    `${path}: ${count(vocabSize)} entries from ${count(read.documents)} documents, ${(read.bytes / 1e6).toFixed(1)} MB\n`,
  );
  if (vocabSize < options.vocabSize) {
    const often = options.minFrequency ?? 2;
    write(
      `The text gives no more than that, ${count(options.vocabSize)} were asked for: no pair is left that comes ${often} times. Give more text, or a lower --min-frequency.\n`,
    );
  }
  return { path, vocabSize, ...read };
}

async function* textsOf(
  { files }: TextFiles,
  { documentSeparator = DOCUMENT_SEPARATOR, textField }: TextFilesOptions,
  read: { documents: number; bytes: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  for (const { path } of files) {
    for await (const { text, begins } of readDocuments(path, { documentSeparator, textField, signal })) {
      if (begins) read.documents++;
      read.bytes += Buffer.byteLength(text);
      yield text;
    }
  }
}

async function checkOut(path: string, force: boolean): Promise<void> {
  const facts = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw fileFailure('cannot look at', path, error);
  });
  if (facts?.isDirectory()) {
    throw new DataError(`training a tokenizer: expected a file to write, got the folder ${path}; add a file name`, {
      file: path,
    });
  }
  if (facts !== undefined && !force) {
    throw new OptionError(
      `training a tokenizer: ${path} is there already; choose another name, or write over it with --force`,
    );
  }
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
