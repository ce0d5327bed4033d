import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, TokenizerError } from '@xlstm/device';
import { makeFolder } from '@xlstm/loaders';
import { byteTokenizer, loadTokenizer, type Tokenizer, trainByteLevelBpe } from '@xlstm/tokenizer';
import type { TrainerConfig } from '../config/trainer-config.ts';
import { fileFailure } from '../data/data-error.ts';
import { readDocuments } from '../data/tokenize-files.ts';
import { writeWhole } from '../data/whole-file.ts';

/** The tokenizer of a run. */
export interface RunTokenizer {
  tokenizer: Tokenizer;
  /** The text of a `tokenizer.json`; absent for bytes. */
  json: string | undefined;
  /** The special token that documents begin with, and its id. */
  beginToken: string;
  beginId: number;
  /** Differs where ids differ. */
  fingerprint: string;
}

/** What documents begin with, where the tokenizer has it. */
const BEGIN_TOKEN = '<|endoftext|>';
/** Of a tokenizer trained here, as GPT-NeoX has them. */
const SPECIAL_TOKENS = [BEGIN_TOKEN, '<|padding|>'];
/** 256 bytes and the id that documents begin with, in whole tiles of 32. */
const BYTE_VOCABULARY = 288;

function fromJson(json: string, where: string): RunTokenizer {
  let parsed: {
    model?: { vocab?: Record<string, number> };
    added_tokens?: { id: number; content: string; special?: boolean }[];
  };
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new TokenizerError(`tokenizer: ${where} is no JSON: ${(cause as Error).message}`, { cause });
  }
  const added = (parsed.added_tokens ?? []).filter(({ special }) => special !== false);
  const begin = added.find(({ content }) => content === BEGIN_TOKEN) ?? added[0];
  if (!begin) {
    throw new TokenizerError(
      `tokenizer: ${where} has no special token for the beginning of a document; add ${BEGIN_TOKEN}`,
    );
  }
  const ids = [...Object.values(parsed.model?.vocab ?? {}), ...(parsed.added_tokens ?? []).map(({ id }) => id)];
  const vocabSize = ids.reduce((most, id) => Math.max(most, id), 0) + 1;
  const tokenizer = loadTokenizer({
    tokenizerJson: parsed,
    vocabSize,
    bosTokenId: begin.id,
    eosTokenId: begin.id,
  });
  const fingerprint = createHash('sha256').update(json).digest('hex').slice(0, 32);
  return { tokenizer, json, beginToken: begin.content, beginId: begin.id, fingerprint };
}

async function readJson(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`tokenizer: cannot read ${path}: ${(cause as Error).message}; set tokenizer.path`, { cause });
  }
}

/** What a tokenizer is prepared for, and who is told. */
export interface PrepareTokenizerOptions {
  say: (line: string) => void;
  signal: AbortSignal;
  /** Whether one that an earlier run trained is trained again: the text may be another. */
  renew?: boolean;
}

/**
 * The tokenizer that the configuration asks for; one that is to be trained is trained on the training text once and kept in
 * the run's folder.
 *
 * @throws TokenizerError or ConfigError for one that cannot be used; DataError when the text cannot be read.
 */
export async function prepareTokenizer(config: TrainerConfig, options: PrepareTokenizerOptions): Promise<RunTokenizer> {
  const wanted = config.tokenizer;
  if (wanted.kind === 'bytes') {
    const tokenizer = byteTokenizer({ vocabSize: BYTE_VOCABULARY, bosTokenId: 0, eosTokenId: 0 });
    return { tokenizer, json: undefined, beginToken: BEGIN_TOKEN, beginId: 0, fingerprint: 'bytes 1' };
  }
  if (wanted.kind === 'file') return fromJson(await readJson(wanted.path), wanted.path);
  const path = join(config.outDir, 'tokenizer.json');
  const kept = options.renew ? undefined : await readFile(path, 'utf8').catch(() => undefined);
  const found = kept === undefined ? undefined : fromJson(kept, path);
  if (found?.tokenizer.vocabSize === wanted.vocabSize) {
    options.say(`tokenizer: ${path}, trained before; --force without --resume trains it again`);
    return found;
  }
  const other = () =>
    new ConfigError(
      `tokenizer: ${path} has ${found?.tokenizer.vocabSize} entries, tokenizer.vocab_size is ${wanted.vocabSize}; remove it to train a new one`,
    );
  if (found && found.tokenizer.vocabSize > wanted.vocabSize) throw other();
  if (!config.data)
    throw new ConfigError('tokenizer: kind bpe needs text to be trained on, and a task has none; take bytes');
  options.say(`training a tokenizer of ${wanted.vocabSize} entries on the training text`);
  const { data } = config;
  async function* texts(): AsyncGenerator<string> {
    for (const { path: source } of data!.train) {
      const read = { documentSeparator: data!.documentSeparator, signal: options.signal };
      for await (const { text } of readDocuments(source, read)) yield text;
    }
  }
  const trained = await trainByteLevelBpe(texts(), {
    vocabSize: wanted.vocabSize,
    specialTokens: SPECIAL_TOKENS,
    signal: options.signal,
  });
  const json = `${JSON.stringify(trained, null, 2)}\n`;
  const made = fromJson(json, path);
  const { vocabSize } = made.tokenizer;
  if (vocabSize < wanted.vocabSize) {
    options.say(
      `the training text gives a tokenizer of ${vocabSize} entries, tokenizer.vocab_size is ${wanted.vocabSize}`,
    );
  }
  if (kept !== undefined) {
    // Fewer entries than wanted are right where the text gives no more, which only training tells.
    if (kept !== json) throw other();
    return made;
  }
  await makeFolder(config.outDir).catch((error) => {
    throw fileFailure('cannot make the folder', config.outDir, error);
  });
  await writeWhole(path, json);
  return made;
}
