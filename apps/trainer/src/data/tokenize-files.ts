import { createHash } from 'node:crypto';
import { DataError } from './data-error.ts';
import { type DocumentPiece, jsonlDocuments, textDocuments } from './documents.ts';
import { type DataFile, findDataFiles } from './file-matching.ts';
import { type Shard, ShardWriter } from './token-shards.ts';
import { removeAbandoned } from './whole-file.ts';

/** Ids of a text, without any id that marks a beginning or an end. */
export type Tokenize = (text: string) => number[] | Int32Array;

/** The tokenizer as far as data needs it. */
export interface CorpusTokenizer {
  readonly tokenize: Tokenize;
  /** Valid ids are `0 … vocabSize-1`. */
  readonly vocabSize: number;
  /** Put before each document: BOS, or end-of-text where a model has no other. None when left out. */
  readonly documentId?: number | undefined;
  /** Differs where the ids of some text differ; a hash of `tokenizer.json`, say. */
  readonly fingerprint: string;
}

/** How text files are read. */
export interface DocumentOptions {
  /** A line holding only this divides a text file into documents; left out, each file is one. */
  readonly documentSeparator?: string | undefined;
  /** The field of a JSON line that holds the text (default `text`). */
  readonly textField?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TokenizeOptions extends DocumentOptions {
  readonly tokenizer: CorpusTokenizer;
  /** Shards are `<prefix>-00000.bin` and so on. */
  readonly prefix: string;
  /** Most tokens in a shard (default 2^27). */
  readonly shardTokens?: number | undefined;
  /** After each run of bytes read. */
  readonly onBytes?: ((file: string, bytes: number) => void) | undefined;
}

/** What came of text files. */
export interface TokenizedFiles {
  readonly documents: number;
  /** Of the documents, in UTF-8, without separators. */
  readonly bytes: number;
  readonly shards: readonly Shard[];
}

/**
 * Writes the documents of text files as token shards, each preceded by the tokenizer's `documentId`.
 *
 * @param hashes sha256 of files that were looked at before; they must still hold the same
 * @throws DataError when a file is no text, was changed meanwhile, or the disk is full; the unfinished shard is removed
 */
export async function tokenizeFiles(
  files: readonly DataFile[],
  options: TokenizeOptions,
  hashes: ReadonlyMap<DataFile, string> = new Map(),
): Promise<TokenizedFiles> {
  const { tokenizer, prefix, signal } = options;
  await removeAbandoned(prefix);
  const writer = new ShardWriter({ prefix, vocabSize: tokenizer.vocabSize, shardTokens: options.shardTokens });
  const beforeDocument = tokenizer.documentId === undefined ? [] : [tokenizer.documentId];
  let documents = 0;
  let bytes = 0;
  try {
    for (const file of files) {
      const hash = createHash('sha256');
      const pieces = piecesOf(file, options, (read) => {
        hash.update(read);
        options.onBytes?.(file.path, read.length);
      });
      for await (const piece of pieces) {
        signal?.throwIfAborted();
        if (piece.begins) {
          documents++;
          await writer.add(beforeDocument);
        }
        bytes += Buffer.byteLength(piece.text);
        await writer.add(tokenizer.tokenize(piece.text));
      }
      const expected = hashes.get(file);
      if (expected !== undefined && hash.digest('hex') !== expected) {
        throw new DataError(`tokenizing: ${file.path} was changed while it was read; run again when it is finished`, {
          file: file.path,
        });
      }
    }
    return { documents, bytes, shards: await writer.finish() };
  } finally {
    await writer.discard();
  }
}

/**
 * The documents of all text files at a path, as text: what a tokenizer is trained on.
 *
 * @param path file, folder or glob; `.bin` files are passed over
 * @throws DataError when nothing is found, or a file is no text
 */
export async function* readDocuments(
  path: string,
  options: DocumentOptions & { readonly baseDir?: string | undefined } = {},
): AsyncGenerator<DocumentPiece> {
  for (const file of await findDataFiles(path, options.baseDir ?? process.cwd())) {
    if (file.kind !== 'tokens') yield* piecesOf(file, options);
  }
}

function piecesOf(
  file: DataFile,
  { documentSeparator, textField, signal }: DocumentOptions,
  onBytes?: (bytes: Uint8Array) => void,
): AsyncGenerator<DocumentPiece> {
  return file.kind === 'jsonl'
    ? jsonlDocuments(file.path, textField ?? 'text', { signal, onBytes })
    : textDocuments(file.path, { separator: documentSeparator, signal, onBytes });
}
