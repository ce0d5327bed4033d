import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ConfigError } from '@xlstm/device';
import { makeFolder } from '@xlstm/loaders';
import { DataError, fileFailure } from './data-error.ts';
import { type FileFacts, FileIndex } from './file-index.ts';
import { type DataFile, findDataFiles } from './file-matching.ts';
import { inspectTokenFile, type TokenFile } from './token-file.ts';
import { TokenFileStream, type TokenStream } from './token-stream.ts';
import { type CorpusTokenizer, type DocumentOptions, tokenizeFiles } from './tokenize-files.ts';
import { writeWhole } from './whole-file.ts';

export interface CorpusProgress {
  /** `reading` looks through the files for changes, `tokenizing` turns text into ids. */
  readonly phase: 'reading' | 'tokenizing';
  readonly file: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface CorpusOptions extends DocumentOptions {
  /** A file, a folder or a glob: `.txt` and `.md`, `.jsonl`, `.bin` of nanoGPT or llm.c. */
  readonly path: string;
  /** What a relative path starts from (default: the working directory). */
  readonly baseDir?: string | undefined;
  readonly tokenizer: CorpusTokenizer;
  /** Where token shards are kept; made when it is not there. `<out_dir>/tokens` of a run. */
  readonly cacheDir: string;
  readonly onProgress?: ((progress: CorpusProgress) => void) | undefined;
  /** Most tokens in a shard of the cache (default 2^27). */
  readonly shardTokens?: number | undefined;
}

/** Text as ids, on the disk. */
export interface Corpus {
  readonly stream: TokenStream;
  readonly files: readonly string[];
  /** Of the text files: what their documents are. `undefined` when there is none. */
  readonly text: { readonly documents: number; readonly bytes: number } | undefined;
}

interface Tokenized {
  readonly documents: number;
  readonly bytes: number;
  readonly shards: readonly { readonly file: string; readonly tokens: number }[];
}

/**
 * Opens the data at a path as one stream of ids. Text is tokenised once, document by document, into shards in
 * `cacheDir`; the next call with the same text and tokenizer finds them. `.bin` files are read where they are, after
 * the text, and are taken to hold their own document ids.
 *
 * @throws DataError when nothing is found, a file cannot be read, is binary, truncated or malformed, holds an id outside of
 * the vocabulary, or when there is no document in it; nothing is left half written
 * @example
 * const corpus = await openCorpus({ path: 'books/*.txt', tokenizer, cacheDir: 'runs/a/tokens' });
 * const source = shuffledWindows(corpus.stream, { rows: 8, length: 512, seed: 1 });
 */
export async function openCorpus(options: CorpusOptions): Promise<Corpus> {
  const { tokenizer, cacheDir, signal } = options;
  checkTokenizer(tokenizer);
  const files = await findDataFiles(options.path, options.baseDir ?? process.cwd());
  await makeFolder(cacheDir).catch((error) => {
    throw fileFailure('cannot make the folder', cacheDir, error);
  });

  const index = await FileIndex.open(cacheDir);
  const facts = new Map<DataFile, FileFacts>();
  const onBytes = progressOf('reading', await sizeOf(files), options);
  for (const file of files) {
    const read = await index.facts(file, signal, (bytes) => onBytes(file.path, bytes));
    checkIds(file, read, tokenizer.vocabSize);
    facts.set(file, read);
  }
  await index.save();

  const tokenFiles: TokenFile[] = [];
  const fingerprints: string[] = [];
  const texts = files.filter((file) => file.kind !== 'tokens');
  let text: Corpus['text'];
  if (texts.length > 0) {
    const key = keyOf(options, texts, facts);
    const tokenized = (await cached(cacheDir, key)) ?? (await tokenizeToCache(options, key, texts, facts));
    for (const { file } of tokenized.shards) tokenFiles.push(await inspectTokenFile(join(cacheDir, file)));
    fingerprints.push(key);
    text = { documents: tokenized.documents, bytes: tokenized.bytes };
  }
  for (const file of files) {
    if (file.kind !== 'tokens') continue;
    tokenFiles.push(await inspectTokenFile(file.path));
    fingerprints.push(facts.get(file)!.sha256);
  }
  if (tokenFiles.length === 0) {
    throw new DataError(
      `opening the corpus: expected at least one document at "${options.path}", got ${files.length} file(s) of nothing but white space`,
      { file: files[0]!.path },
    );
  }
  const stream = new TokenFileStream(tokenFiles, digest(fingerprints));
  return { stream, files: files.map((file) => file.path), text };
}

function checkTokenizer({ vocabSize, documentId }: CorpusTokenizer): void {
  if (!Number.isSafeInteger(vocabSize) || vocabSize < 1 || vocabSize > 2 ** 31) {
    throw new ConfigError(`openCorpus: vocabSize must be an integer of 1 or more, got ${vocabSize}`);
  }
  if (documentId !== undefined && !(Number.isInteger(documentId) && documentId >= 0 && documentId < vocabSize)) {
    throw new ConfigError(`openCorpus: documentId must be one of the ${vocabSize} ids, got ${documentId}`);
  }
}

function checkIds(file: DataFile, { largestId, largestAt }: FileFacts, vocabSize: number): void {
  if (largestId === undefined || largestId < vocabSize) return;
  throw new DataError(
    `reading tokens: expected ids of 0 … ${vocabSize - 1}, got ${largestId} at token ${largestAt} of ${file.path}; use the tokenizer that the file was made with`,
    { file: file.path, offset: largestAt },
  );
}

/** Everything that decides the ids, and not where the files lie or when they were written. */
function keyOf(options: CorpusOptions, files: readonly DataFile[], facts: ReadonlyMap<DataFile, FileFacts>): string {
  const { tokenizer, documentSeparator, textField } = options;
  return digest([
    'xlstm tokens 1',
    tokenizer.fingerprint,
    tokenizer.vocabSize,
    tokenizer.documentId ?? null,
    documentSeparator ?? null,
    textField ?? null,
    options.shardTokens ?? null,
    files.map((file) => [file.kind, facts.get(file)!.sha256]),
  ]);
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}

/** The shards of an earlier run, if they are all there as they were written. */
async function cached(folder: string, key: string): Promise<Tokenized | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, `${key}.json`), 'utf8')) as Tokenized;
    for (const { file, tokens } of manifest.shards) {
      if ((await inspectTokenFile(join(folder, file))).tokens !== tokens) return undefined;
    }
    return manifest;
  } catch {
    // Absent or damaged: made anew.
    return undefined;
  }
}

async function tokenizeToCache(
  options: CorpusOptions,
  key: string,
  files: readonly DataFile[],
  facts: ReadonlyMap<DataFile, FileFacts>,
): Promise<Tokenized> {
  const prefix = join(options.cacheDir, key);
  const onBytes = progressOf('tokenizing', await sizeOf(files), options);
  const hashes = new Map(files.map((file) => [file, facts.get(file)!.sha256]));
  const made = await tokenizeFiles(files, { ...options, prefix, onBytes }, hashes);
  const shards = made.shards.map(({ path, tokens }) => ({ file: basename(path), tokens }));
  const tokenized = { documents: made.documents, bytes: made.bytes, shards };
  // Written last: where it is, all shards are.
  if (shards.length > 0) await writeWhole(`${prefix}.json`, `${JSON.stringify(tokenized, null, 2)}\n`);
  return tokenized;
}

function progressOf(
  phase: CorpusProgress['phase'],
  totalBytes: number,
  { onProgress }: CorpusOptions,
): (file: string, bytes: number) => void {
  let doneBytes = 0;
  return (file, bytes) => {
    doneBytes += bytes;
    onProgress?.({ phase, file, doneBytes, totalBytes });
  };
}

async function sizeOf(files: readonly DataFile[]): Promise<number> {
  let bytes = 0;
  for (const { path } of files) {
    const facts = await stat(path).catch((error) => {
      throw fileFailure('cannot read', path, error);
    });
    bytes += facts.size;
  }
  return bytes;
}
