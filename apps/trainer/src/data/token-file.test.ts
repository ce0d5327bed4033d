import { existsSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { temporaryFolder, writeFiles } from './testing/temporary-folder.ts';
import { inspectTokenFile } from './token-file.ts';
import { ShardWriter } from './token-shards.ts';
import { TokenFileStream } from './token-stream.ts';
import { WholeFile } from './whole-file.ts';

const folder = temporaryFolder();

function bytesOf(ids: readonly number[], width: 2 | 4): Buffer {
  const bytes = Buffer.alloc(ids.length * width);
  for (const [i, id] of ids.entries()) bytes.writeUIntLE(id, i * width, width);
  return bytes;
}

function llmc(magic: number, version: number, count: number, ids: Buffer): Buffer {
  const header = Buffer.alloc(1024);
  header.writeInt32LE(magic, 0);
  header.writeInt32LE(version, 4);
  header.writeInt32LE(count, 8);
  return Buffer.concat([header, ids]);
}

function fileOf(content: Uint8Array, name = 'a.bin'): string {
  writeFiles(folder, { [name]: content });
  return join(folder, name);
}

async function idsOf(path: string): Promise<number[]> {
  const file = await inspectTokenFile(path);
  const stream = new TokenFileStream([file], 'x');
  const out = new Int32Array(file.tokens);
  await stream.read(0, out);
  await stream.close();
  return [...out];
}

describe('token files', () => {
  test('nanoGPT: uint16 and nothing else', async () => {
    expect(await idsOf(fileOf(bytesOf([0, 1, 50256, 65535], 2)))).toEqual([0, 1, 50256, 65535]);
  });

  test('llm.c: GPT-2 in uint16, Llama 3 in uint32', async () => {
    expect(await idsOf(fileOf(llmc(20240520, 1, 3, bytesOf([5, 50256, 7], 2))))).toEqual([5, 50256, 7]);
    expect(await idsOf(fileOf(llmc(20240801, 7, 2, bytesOf([128000, 7], 4))))).toEqual([128000, 7]);
  });

  test.each([
    ['odd bytes', Buffer.alloc(7), /odd number of bytes \(7\)/],
    ['nothing', Buffer.alloc(0), /empty file/],
    [
      'less than announced',
      llmc(20240520, 1, 4, Buffer.alloc(6)),
      /announces 4 tokens \(1032 bytes\), got a truncated/,
    ],
    ['more than announced', llmc(20240520, 1, 2, Buffer.alloc(6)), /got more than the header says/],
    [
      'a header cut short',
      llmc(20240520, 1, 4, Buffer.alloc(0)).subarray(0, 500),
      /got a truncated file \(500 bytes\)/,
    ],
    ['a negative count', llmc(20240520, 1, -4, Buffer.alloc(8)), /announces -4 tokens/],
    ['no tokens', llmc(20240520, 1, 0, Buffer.alloc(0)), /announces 0 tokens/],
    ['another version', llmc(20240520, 2, 2, Buffer.alloc(4)), /expected version 1 .*got 2/],
  ])('%s is refused', async (_, content, message) => {
    const path = fileOf(content);
    await expect(inspectTokenFile(path)).rejects.toMatchObject({
      name: 'DataError',
      file: path,
      message: expect.stringMatching(message),
    });
  });

  test('a file that shrinks while it is read is named', async () => {
    const path = fileOf(Buffer.alloc(100_000));
    const stream = new TokenFileStream([await inspectTokenFile(path)], 'x');
    truncateSync(path, 50_000);
    await expect(stream.read(40_000, new Int32Array(10))).rejects.toMatchObject({ name: 'DataError', file: path });
    await stream.close();
    await expect(stream.read(0, new Int32Array(1))).rejects.toMatchObject({ name: 'DisposedError' });
  });
});

describe('TokenFileStream', () => {
  test('any range over several files, and more blocks than are kept', async () => {
    const sizes = [1, 40_000, 3, 16_384, 20_001, 9_000_000];
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let next = 0;
    const files = sizes.map((size, i) => {
      const ids = Buffer.alloc(2 * size);
      for (let at = 0; at < size; at++) ids.writeUInt16LE((next++ * 31) % 65521, 2 * at);
      return inspectTokenFile(fileOf(ids, `part-${i}.bin`));
    });
    const stream = new TokenFileStream(await Promise.all(files), 'x');
    expect(stream.tokens).toBe(total);
    await fc.assert(
      fc.asyncProperty(fc.nat(total - 1), fc.nat(50_000), async (start, length) => {
        const out = new Int32Array(Math.min(length, total - start));
        await stream.read(start, out);
        expect(out.every((id, i) => id === ((start + i) * 31) % 65521)).toBe(true);
      }),
      { numRuns: 60 },
    );
    await expect(stream.read(total - 1, new Int32Array(2))).rejects.toMatchObject({ name: 'OptionError' });
    await stream.close();
  });

  test('more files than may be open', async () => {
    const files = Array.from({ length: 100 }, (_, i) => fileOf(bytesOf([i, i + 1], 2), `many-${i}.bin`));
    const stream = new TokenFileStream(await Promise.all(files.map(inspectTokenFile)), 'x');
    const out = new Int32Array(200);
    for (let pass = 0; pass < 2; pass++) {
      await stream.read(0, out.fill(-1));
      expect([...out]).toEqual(files.flatMap((_, i) => [i, i + 1]));
    }
    await stream.close();
  });
});

describe('ShardWriter', () => {
  test.each([
    [65536, 2],
    [65537, 4],
  ] as const)('a vocabulary of %i is written in %i bytes a token', async (vocabSize, width) => {
    const writer = new ShardWriter({ prefix: join(folder, `v${vocabSize}`), vocabSize, shardTokens: 4 });
    await writer.add([1, 2, 3]);
    await writer.add(Int32Array.of(vocabSize - 1, 5, 6));
    const shards = await writer.finish();
    expect(shards.map((shard) => shard.tokens)).toEqual([4, 2]);
    expect((await inspectTokenFile(shards[0]!.path)).bytesPerToken).toBe(width);
    expect(await Promise.all(shards.map((shard) => idsOf(shard.path)))).toEqual([
      [1, 2, 3, vocabSize - 1],
      [5, 6],
    ]);
    const raw = readFileSync(shards[1]!.path);
    expect([raw.readInt32LE(0), raw.readInt32LE(8)]).toEqual([width === 2 ? 20240520 : 20240801, 2]);
  });

  test('an id outside of the vocabulary is refused, and nothing is left', async () => {
    const writer = new ShardWriter({ prefix: join(folder, 'bad'), vocabSize: 10, shardTokens: 2 ** 20 });
    await writer.add(new Int32Array(2 ** 19));
    await expect(writer.add([3, 10])).rejects.toMatchObject({ name: 'DataError' });
    await writer.discard();
    expect(readdirSync(folder).filter((name) => name.startsWith('bad'))).toEqual([]);
  });
});

describe('WholeFile', () => {
  test('is not there before it is whole, and replaces what was there', async () => {
    const path = fileOf(Buffer.from('old'), 'whole');
    const file = await WholeFile.create(path);
    await file.write(Buffer.from('new content'));
    await file.write(Buffer.from('NEW'), 0);
    expect(readFileSync(path, 'utf8')).toBe('old');
    await file.finish();
    expect(readFileSync(path, 'utf8')).toBe('NEW content');
    await file.discard();
    expect(existsSync(path)).toBe(true);
  });

  test('an impossible place is an error that names it', async () => {
    const path = join(folder, 'not', 'there');
    await expect(WholeFile.create(path)).rejects.toMatchObject({ name: 'DataError', file: path });
  });
});
