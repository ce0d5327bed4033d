import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DocumentPiece, jsonlDocuments, textDocuments } from './documents.ts';
import { temporaryFolder, writeFiles } from './testing/temporary-folder.ts';
import { readText } from './utf8-text.ts';

const folder = temporaryFolder();
const END = '<|endoftext|>';

async function all<T>(items: AsyncGenerator<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function fileOf(content: string | Uint8Array): string {
  writeFiles(folder, { 'a.txt': content });
  return join(folder, 'a.txt');
}

/** The documents whole again. */
function joined(pieces: readonly DocumentPiece[]): string[] {
  const documents: string[] = [];
  for (const { text, begins } of pieces) {
    if (begins) documents.push(text);
    else documents.push(documents.pop()! + text);
  }
  return documents;
}

describe('textDocuments', () => {
  test('a line holding only the separator divides, and takes the line break before it', async () => {
    const file = fileOf(`One.\n\nTwo.\n${END}\nThree ${END} in a line\n${END} \n${END}\n${END}\n  \n${END}\nFour.\n`);
    expect(joined(await all(textDocuments(file, { separator: END })))).toEqual([
      'One.\n\nTwo.',
      `Three ${END} in a line\n${END} `,
      'Four.\n',
    ]);
  });

  test('Windows line ends, and a separator as the last line without an end', async () => {
    const file = fileOf(`One\r\n${END}\r\nTwo\r\n${END}`);
    expect(joined(await all(textDocuments(file, { separator: END })))).toEqual(['One', 'Two']);
  });

  test('without a separator the file is one document, as it is but for a byte-order mark', async () => {
    expect(joined(await all(textDocuments(fileOf(`\ufeffa\r\n${END}\nb \ufeff\n`))))).toEqual([
      `a\r\n${END}\nb \ufeff\n`,
    ]);
  });

  test('pieces join to the same documents as a naive split, at any size of piece and read', async () => {
    const part = fc.constantFrom('a', 'the fox', ' ', '\n', `\n${END}\n`, END, 'é', '漢字', '😀', '.', ' b c', '\r\n');
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 60 }),
        fc.integer({ min: 2, max: 30 }),
        fc.integer({ min: 1, max: 40 }),
        async (parts, pieceLength, chunkBytes) => {
          const text = parts.join('');
          const naive: string[] = [''];
          for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
            if (line.replace(/\r?\n$/, '') === END) {
              naive[naive.length - 1] = naive.at(-1)!.replace(/\r?\n$/, '');
              naive.push('');
            } else naive[naive.length - 1] += line;
          }
          const options = { separator: END, pieceLength: Math.max(pieceLength, END.length + 2), chunkBytes };
          const pieces = await all(textDocuments(fileOf(text), options));
          expect(joined(pieces)).toEqual(naive.filter((document) => /\S/.test(document)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a long blank is kept where text follows it, and left out where none does', async () => {
    const blank = ' \n'.repeat(100);
    const file = fileOf(`${blank}x${blank}\n${END}\n${blank}`);
    const pieces = await all(textDocuments(file, { separator: END, pieceLength: 20, chunkBytes: 7 }));
    expect(joined(pieces)).toEqual([`${blank}x${blank}`]);
  });

  test('pieces of long prose have the words of the whole', async () => {
    const words = Array.from(
      { length: 500 },
      (_, i) => ['said,', 'the', 'fox;', '12', 'ran\n\n', "don't"][(i * 7) % 6],
    );
    const text = words.join(' ');
    const preTokens = (part: string): string[] => part.match(/ ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu)!;
    const pieces = await all(textDocuments(fileOf(text), { pieceLength: 100 }));
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.flatMap((piece) => preTokens(piece.text))).toEqual(preTokens(text));
  });
});

describe('readText', () => {
  test.each([
    ['a NUL byte', Buffer.from('abc\0def'), 3],
    ['a lone continuation', Buffer.from([0x61, 0x62, 0x80, 0x61]), 2],
    ['an overlong form', Buffer.from([0x61, 0xc0, 0xaf]), 1],
    ['an overlong three-byte form', Buffer.from([0x61, 0xe0, 0x80, 0x80]), 1],
    ['a surrogate', Buffer.from([0x61, 0xed, 0xa0, 0x80]), 1],
    ['beyond U+10FFFF', Buffer.from([0xf4, 0x90, 0x80, 0x80]), 0],
    ['a character cut short at the end', Buffer.from([0x61, 0x61, 0xe2, 0x82]), 2],
    ['a character cut short within', Buffer.from([0x61, 0xe2, 0x82, 0x61, 0x61]), 1],
    ['PNG', Buffer.from([0x89, 0x50, 0x4e, 0x47]), 0],
  ])('%s is refused with file and offset, at any read size', async (_, bytes, offset) => {
    const file = fileOf(bytes);
    for (const chunkBytes of [1, 2, 3, 4, 5, 100]) {
      await expect(all(readText(file, { chunkBytes }))).rejects.toMatchObject({ name: 'DataError', file, offset });
    }
  });

  test('offsets in later reads', async () => {
    const bytes = Buffer.alloc(3_000_000, 'é');
    bytes[2_500_001] = 0xff;
    await expect(all(readText(fileOf(bytes)))).rejects.toMatchObject({ offset: 2_500_000 });
  });

  test('any text comes back at any read size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 50 }),
        fc.integer({ min: 1, max: 9 }),
        async (text, chunkBytes) => {
          const clean = text.replaceAll('\0', '').replaceAll('\ufeff', '');
          expect((await all(readText(fileOf(clean), { chunkBytes }))).join('')).toBe(clean);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('a signal stops it', async () => {
    await expect(all(readText(fileOf('abc'), { signal: AbortSignal.abort() }))).rejects.toThrow(/abort/i);
  });
});

describe('jsonlDocuments', () => {
  test('a document for each line that has one', async () => {
    const file = fileOf('{"text":"One\\nline","id":1}\r\n\n{"id":2,"text":"Two"}\n{"text":" "}\n{"text":"Three"}');
    expect(joined(await all(jsonlDocuments(file, 'text', { chunkBytes: 5 })))).toEqual(['One\nline', 'Two', 'Three']);
  });

  test.each([
    ['no JSON', '{"text":"a"}\n{"text":', 2, /line 2 .* is not JSON/],
    ['another field', '{"text":"a"}\n\n{"body":"b"}\n', 3, /string "text", got an object with body/],
    ['not a string', '{"text":5}\n', 1, /string "text"/],
    ['no object', '["text"]\n', 1, /got \["text"\]/],
    ['a field of the prototype', '{"a":1}\n', 1, /got an object with a/],
  ])('%s is refused with its line number', async (_, content, line, message) => {
    const reading = all(jsonlDocuments(fileOf(content), 'text'));
    await expect(reading).rejects.toMatchObject({ name: 'DataError', line, message: expect.stringMatching(message) });
  });
});
