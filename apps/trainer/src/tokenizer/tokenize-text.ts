import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { OptionError } from '@xlstm/device';
import { makeFolder } from '@xlstm/loaders';
import { loadTokenizer, type Tokenizer } from '@xlstm/tokenizer';
import { DataError, fileFailure } from '../data/data-error.ts';
import type { Shard } from '../data/token-shards.ts';
import { tokenizeFiles } from '../data/tokenize-files.ts';
import { writeWhole } from '../data/whole-file.ts';
import type { CommandCallbacks } from './command-callbacks.ts';
import { DOCUMENT_SEPARATOR, findTextFiles, type TextFilesOptions } from './text-files.ts';

export interface TokenizeTextOptions extends TextFilesOptions {
  /** A `tokenizer.json`. */
  readonly tokenizer: string;
  /** The folder to write shards into; it is made when it is not there. */
  readonly out: string;
  /** Replace shards of this name that are there. */
  readonly force?: boolean | undefined;
  /** Shards are `<name>-00000.bin` and so on, with `<name>.json` beside them (default `tokens`). */
  readonly name?: string | undefined;
  /** The special token whose id goes before each document (default `<|endoftext|>`); `''` for none. */
  readonly documentToken?: string | undefined;
  /** Most tokens in a shard (default 2^27). */
  readonly shardTokens?: number | undefined;
}

/** What was written; `<name>.json` says the same in the words of a file. */
export interface TokenizedText {
  readonly documents: number;
  /** Of the documents, in UTF-8, without separators. */
  readonly bytes: number;
  readonly tokens: number;
  /** Absolute. */
  readonly shards: readonly Shard[];
}

const WRITING = '.xlstm-writing-';
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/**
 * `xlstm-train tokenize`: text files as shards of ids in llm.c's format (uint16; uint32 for more than 65,536 entries),
 * for the trainer and for others that read it. All shards appear at the end, or none.
 *
 * @throws TokenizerError when the tokenizer cannot be used; OptionError when shards are there already and `force` is not
 * set, or the tokenizer has no `documentToken`; DataError when there is no text, a file is no text, or `out` cannot be
 * written; the signal's reason when aborted. What was in `out` is then as it was.
 * @example
 * await tokenizeText({ tokenizer: 'tokenizer.json', text: ['books/*.txt'], out: 'ids' }, { write: console.log });
 */
export async function tokenizeText(
  options: TokenizeTextOptions,
  { write, onProgress, signal }: CommandCallbacks,
): Promise<TokenizedText> {
  const baseDir = options.baseDir ?? process.cwd();
  const name = checkName(options.name ?? 'tokens');
  checkShardTokens(options.shardTokens);
  const file = resolve(baseDir, options.tokenizer);
  const json = await readFile(file, 'utf8').catch((error) => {
    throw fileFailure('cannot read', file, error);
  });
  const tokenizer = loadTokenizer({ tokenizerJson: json });
  const documentId = documentIdOf(tokenizer, options.documentToken ?? DOCUMENT_SEPARATOR, file);
  const fingerprint = createHash('sha256').update(json).digest('hex');
  const folder = resolve(baseDir, options.out);
  const older = await writtenBefore(folder, name, options.force === true);
  const found = await findTextFiles('tokenizing', options);

  const writing = join(folder, `${WRITING}${randomBytes(6).toString('hex')}`);
  try {
    await makeFolder(writing).catch((error) => {
      throw fileFailure('cannot make the folder', writing, error);
    });
    await removeAbandoned(folder);
    let done = 0;
    const made = await tokenizeFiles(found.files, {
      tokenizer: {
        tokenize: (text) => tokenizer.encode(text, { addBos: false }),
        vocabSize: tokenizer.vocabSize,
        documentId,
        fingerprint,
      },
      prefix: join(writing, name),
      documentSeparator: options.documentSeparator ?? DOCUMENT_SEPARATOR,
      textField: options.textField,
      shardTokens: options.shardTokens,
      signal,
      onBytes: (_, bytes) => {
        done += bytes;
        onProgress?.('tokenizing', Math.min(1, done / Math.max(1, found.bytes)));
      },
    });
    if (made.shards.length === 0) {
      throw new DataError(
        `tokenizing: expected at least one document, got ${found.files.length} file(s) of nothing but white space`,
        { file: found.files[0]!.path },
      );
    }
    signal?.throwIfAborted();
    const result = await moveIntoPlace(folder, name, older, made.shards);
    const tokens = result.reduce((sum, shard) => sum + shard.tokens, 0);
    await writeWhole(
      join(folder, `${name}.json`),
      `${JSON.stringify(
        {
          format: 'llm.c',
          bytes_per_token: tokenizer.vocabSize <= 65536 ? 2 : 4,
          vocab_size: tokenizer.vocabSize,
          document_id: documentId ?? null,
          tokenizer_sha256: fingerprint,
          documents: made.documents,
          text_bytes: made.bytes,
          tokens,
          shards: result.map((shard) => ({ file: basename(shard.path), tokens: shard.tokens })),
        },
        null,
        2,
      )}\n`,
    );
    write(
      `${folder}: ${tokens.toLocaleString('en-US')} tokens of ${made.documents.toLocaleString('en-US')} documents in ${result.length} shard${result.length === 1 ? '' : 's'}, ${(made.bytes / tokens).toFixed(2)} bytes a token\n`,
    );
    return { documents: made.documents, bytes: made.bytes, tokens, shards: result };
  } finally {
    await rm(writing, { recursive: true, force: true });
  }
}

/** The summary goes first and comes last, so that shards without one are known to be incomplete. */
async function moveIntoPlace(
  folder: string,
  name: string,
  older: readonly string[],
  shards: readonly Shard[],
): Promise<Shard[]> {
  try {
    await rm(join(folder, `${name}.json`), { force: true });
    for (const file of older) await rm(join(folder, file), { force: true });
    const moved: Shard[] = [];
    for (const { path, tokens } of shards) {
      const place = join(folder, basename(path));
      await rename(path, place);
      moved.push({ path: place, tokens });
    }
    return moved;
  } catch (error) {
    throw fileFailure('cannot write', folder, error);
  }
}

/** Shards and summary of this name in the folder. @throws OptionError when there are some that must stay */
async function writtenBefore(folder: string, name: string, force: boolean): Promise<string[]> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileFailure('cannot list', folder, error);
  });
  const older = entries.filter(
    (entry) =>
      entry === `${name}.json` || (entry.startsWith(`${name}-`) && /^\d{5,}\.bin$/.test(entry.slice(name.length + 1))),
  );
  if (older.length > 0 && !force) {
    throw new OptionError(
      `tokenizing: ${join(folder, older[0]!)} is there already; choose another --out or --name, or replace what is there with --force`,
    );
  }
  return older;
}

/** Removes what killed processes left, and not what another is writing now. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(WRITING)) continue;
    const facts = await stat(join(folder, entry)).catch(() => undefined);
    if (facts === undefined || Date.now() - facts.mtimeMs < ABANDONED_AFTER_MS) continue;
    await rm(join(folder, entry), { recursive: true, force: true });
  }
}

function documentIdOf(tokenizer: Tokenizer, token: string, file: string): number | undefined {
  if (token === '') return undefined;
  for (const [id, text] of tokenizer.specialTokens) if (text === token) return id;
  const known = [...tokenizer.specialTokens.values()].map((text) => JSON.stringify(text)).join(', ') || 'none';
  throw new OptionError(
    `tokenizing: expected a special token of ${file} to go before each document, got ${JSON.stringify(token)}, it has ${known}; name one with --document-token, or "" for none`,
  );
}

function checkName(name: string): string {
  if (/^[\w][\w.-]*$/.test(name)) return name;
  throw new OptionError(
    `tokenizing: name must be letters, digits, ".", "_" and "-", beginning with a letter or digit, got ${JSON.stringify(name)}`,
  );
}

function checkShardTokens(tokens: number | undefined): void {
  if (tokens === undefined || (Number.isSafeInteger(tokens) && tokens >= 1 && tokens < 2 ** 31)) return;
  throw new OptionError(`tokenizing: shardTokens must be an integer in 1..${2 ** 31 - 1}, got ${tokens}`);
}
