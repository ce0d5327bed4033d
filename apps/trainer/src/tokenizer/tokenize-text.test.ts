import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError, TokenizerError } from '@xlstm/device';
import { loadTokenizer, trainByteLevelBpe } from '@xlstm/tokenizer';
import { beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../data/data-error.ts';
import { temporaryFolder, writeFiles } from '../data/testing/temporary-folder.ts';
import { inspectTokenFile, readTokens } from '../data/token-file.ts';
import { type TokenizeTextOptions, tokenizeText } from './tokenize-text.ts';

const documents = ['the cat sat on the mat', 'the hat of the cat 🙂', 'the rat', 'that cat'];
const folder = writeFiles(temporaryFolder(), {
  'text/a.txt': `${documents[0]}\n<|endoftext|>\n${documents[1]}`,
  'text/c.jsonl': `{"text": "${documents[2]}"}\n{"text": "${documents[3]}"}\n`,
  'other/picture.txt': new Uint8Array([0x89, 0x50, 0, 0xff]),
  'other/blank.txt': ' \n',
  'not.json': 'not JSON',
});
let tokenizerJson = '';

beforeAll(async () => {
  tokenizerJson = JSON.stringify(await trainByteLevelBpe(documents, { vocabSize: 262 }));
  writeFileSync(join(folder, 'tokenizer.json'), tokenizerJson);
});

let folders = 0;
const fresh = (): string => `out/${folders++}`;
const list = (out: string): string[] => readdirSync(join(folder, out)).sort();

function tokenize(options: Partial<TokenizeTextOptions> = {}) {
  const said: string[] = [];
  const progress: number[] = [];
  const controller = new AbortController();
  const done = tokenizeText(
    { tokenizer: 'tokenizer.json', text: ['text'], out: fresh(), baseDir: folder, ...options },
    {
      write: (text) => said.push(text),
      onProgress: (_, fraction) => progress.push(fraction),
      signal: controller.signal,
    },
  );
  return { done, said, progress, abort: (reason: Error) => controller.abort(reason) };
}

async function idsOf(paths: readonly string[]): Promise<number[]> {
  const ids: number[] = [];
  for (const path of paths) {
    const file = await inspectTokenFile(path);
    const handle = await open(path);
    ids.push(...(await readTokens(file, handle, 0, file.tokens)));
    await handle.close();
  }
  return ids;
}

function expectedIds(before: readonly number[]): number[] {
  const tokenizer = loadTokenizer({ tokenizerJson });
  return documents.flatMap((text) => [...before, ...tokenizer.encode(text)]);
}

describe('tokenizeText', () => {
  it('writes the ids of all documents, each after its token, in shards', async () => {
    const out = fresh();
    const { done, said, progress } = tokenize({ out, shardTokens: 10 });
    const made = await done;
    const ids = expectedIds([0]);
    expect(await idsOf(made.shards.map(({ path }) => path))).toEqual(ids);
    expect(made).toMatchObject({ documents: 4, tokens: ids.length, bytes: Buffer.byteLength(documents.join('')) });
    expect(made.shards.map(({ tokens }) => tokens).slice(0, -1)).toEqual(made.shards.slice(1).map(() => 10));
    expect(list(out)).toEqual([...made.shards.map((_, i) => `tokens-0000${i}.bin`), 'tokens.json']);
    expect(JSON.parse(readFileSync(join(folder, out, 'tokens.json'), 'utf8'))).toMatchObject({
      format: 'llm.c',
      bytes_per_token: 2,
      vocab_size: 262,
      document_id: 0,
      tokens: ids.length,
      shards: made.shards.map(({ tokens }, i) => ({ file: `tokens-0000${i}.bin`, tokens })),
    });
    expect(said.join('')).toMatch(
      new RegExp(`: ${ids.length} tokens of 4 documents in ${made.shards.length} shards, `),
    );
    expect(progress.at(-1)).toBe(1);
  });

  it('puts nothing before documents when told so', async () => {
    const { shards } = await tokenize({ documentToken: '' }).done;
    expect(await idsOf(shards.map(({ path }) => path))).toEqual(expectedIds([]));
  });

  it('replaces only its own shards, all of them, and only with force', async () => {
    const out = fresh();
    await tokenize({ out, shardTokens: 5 }).done;
    writeFileSync(join(folder, out, 'tokens-of-mine.bin'), 'mine');
    const before = list(out);
    await expect(tokenize({ out }).done).rejects.toThrow(OptionError);
    await expect(tokenize({ out }).done).rejects.toThrow(/tokens-00000\.bin is there already; .*--force/);
    expect(list(out)).toEqual(before);
    await tokenize({ out, name: 'valid' }).done;
    await tokenize({ out, force: true }).done;
    expect(list(out)).toEqual([
      'tokens-00000.bin',
      'tokens-of-mine.bin',
      'tokens.json',
      'valid-00000.bin',
      'valid.json',
    ]);
  });

  it('removes what a killed process left, and not what may be written now', async () => {
    const out = fresh();
    for (const name of ['.xlstm-writing-old', '.xlstm-writing-new'])
      mkdirSync(join(folder, out, name), { recursive: true });
    const yesterday = new Date(Date.now() - 86_400_000);
    utimesSync(join(folder, out, '.xlstm-writing-old'), yesterday, yesterday);
    await tokenize({ out }).done;
    expect(list(out)).toEqual(['.xlstm-writing-new', 'tokens-00000.bin', 'tokens.json']);
  });

  it.each<[string, Partial<TokenizeTextOptions>, new (message: string) => Error, RegExp]>([
    ['no tokenizer', { tokenizer: 'nothing.json' }, DataError, /nothing\.json.*no such file/],
    ['a tokenizer that is none', { tokenizer: 'not.json' }, TokenizerError, /is not JSON/],
    [
      'a token that it does not have',
      { documentToken: '<s>' },
      OptionError,
      /got "<s>", it has "<\|endoftext\|>"; .*--document-token/,
    ],
    ['no paths', { text: [] }, OptionError, /give --text/],
    ['a binary file', { text: ['text', 'other/picture.txt'] }, DataError, /picture\.txt/],
    ['white space alone', { text: ['other/blank.txt'] }, DataError, /expected at least one document/],
    ['a name with a path in it', { name: '../tokens' }, OptionError, /name must be letters/],
    ['shards of nothing', { shardTokens: 0 }, OptionError, /shardTokens must be an integer in 1/],
  ])('refuses %s and leaves nothing behind', async (_, options, error, message) => {
    const out = fresh();
    await expect(tokenize({ out, ...options }).done).rejects.toThrow(error);
    await expect(tokenize({ out, ...options }).done).rejects.toThrow(message);
    expect(existsSync(join(folder, out)) ? list(out) : []).toEqual([]);
  });

  it('keeps what was there when it fails or is aborted', async () => {
    const out = fresh();
    const { shards } = await tokenize({ out }).done;
    const before = readFileSync(shards[0]!.path);
    const files = list(out);
    await expect(tokenize({ out, force: true, text: ['text', 'other/picture.txt'] }).done).rejects.toThrow(DataError);
    const reason = new Error('enough');
    const { done, abort } = tokenize({ out, force: true });
    abort(reason);
    await expect(done).rejects.toBe(reason);
    expect(list(out)).toEqual(files);
    expect(readFileSync(shards[0]!.path).equals(before)).toBe(true);
  });
});
