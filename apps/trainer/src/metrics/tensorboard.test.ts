import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crc32c, maskedCrc32c } from './crc32c.ts';
import { ProtobufMessage } from './protobuf-message.ts';
import { TensorBoardLog } from './tensorboard.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-board-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** CRC-32C bit by bit, as the polynomial division that it is; shares nothing with the code under test. */
function slowCrc(bytes: Uint8Array): bigint {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const out = (crc ^ (BigInt(byte) >> BigInt(bit))) & 1n;
      crc >>= 1n;
      if (out) crc ^= 0x82f63b78n;
    }
  }
  return crc ^ 0xffffffffn;
}

type Field = { field: number; value: bigint | Uint8Array };

/** The fields of a message as the wire format says, fixed numbers as their bytes. */
function readFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Uint8Array => {
    expect(at + length).toBeLessThanOrEqual(bytes.length);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const wire = key & 7;
    const value = wire === 0 ? varint() : take(wire === 1 ? 8 : wire === 5 ? 4 : Number(varint()));
    fields.push({ field: key >> 3, value });
  }
  return fields;
}

function one(fields: Field[], field: number): bigint | Uint8Array | undefined {
  const found = fields.filter((entry) => entry.field === field);
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0]?.value;
}

const inner = (fields: Field[], field: number) => readFields(one(fields, field) as Uint8Array);
const string = (value: bigint | Uint8Array | undefined) =>
  value === undefined ? undefined : new TextDecoder().decode(value as Uint8Array);
const view = (value: bigint | Uint8Array | undefined) => new DataView((value as Uint8Array).slice().buffer);

interface ReadEvent {
  wallTime: number;
  step: number;
  version: string | undefined;
  status: number | undefined;
  scalars: Record<string, number>;
  texts: Record<string, string>;
}

/** Reads an event file with its CRCs checked. */
async function readEvents(path: string): Promise<ReadEvent[]> {
  const file = new Uint8Array(await readFile(path));
  const events: ReadEvent[] = [];
  const unmask = (masked: number): bigint => {
    const rotated = (BigInt(masked) - 0xa282ead8n) & 0xffffffffn;
    return ((rotated >> 17n) | (rotated << 15n)) & 0xffffffffn;
  };
  for (let at = 0; at < file.length; ) {
    const header = new DataView(file.buffer, at, 12);
    const length = Number(header.getBigUint64(0, true));
    expect(unmask(header.getUint32(8, true))).toBe(slowCrc(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(data.length).toBe(length);
    expect(unmask(new DataView(file.buffer, at + 12 + length, 4).getUint32(0, true))).toBe(slowCrc(data));
    at += length + 16;

    const fields = readFields(data);
    const event: ReadEvent = {
      wallTime: view(one(fields, 1)).getFloat64(0, true),
      step: Number(one(fields, 2) ?? 0n),
      version: string(one(fields, 3)),
      status: one(fields, 7) ? Number(one(inner(fields, 7), 1)) : undefined,
      scalars: {},
      texts: {},
    };
    for (const { value } of one(fields, 5) ? inner(fields, 5) : []) {
      const entry = readFields(value as Uint8Array);
      const tag = string(one(entry, 1))!;
      if (one(entry, 2)) event.scalars[tag] = view(one(entry, 2)).getFloat32(0, true);
      if (one(entry, 8)) {
        const tensor = inner(entry, 8);
        expect(one(tensor, 1)).toBe(7n);
        expect(one(inner(inner(tensor, 2), 2), 1)).toBe(1n);
        expect(string(one(inner(inner(entry, 9), 1), 1))).toBe('text');
        event.texts[tag] = string(one(tensor, 8))!;
      }
    }
    events.push(event);
  }
  return events;
}

const METRICS = { step: 1, loss: 8.25, lr: 1e-3, gradientNorm: 0.5, tokensPerSecond: 511_000, tokens: 32_768 };

describe('crc32c', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
  it.each([
    ['the digits', new TextEncoder().encode('123456789'), 0xe3069283],
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(255), 0x62a8ab43],
    ['32 ascending bytes', ascending, 0x46dd794e],
    ['32 descending bytes', ascending.toReversed(), 0x113fdb5c],
    ['nothing', new Uint8Array(), 0],
  ])('has the check value of RFC 3720 for %s', (_, bytes, value) => {
    expect(crc32c(bytes)).toBe(value);
    expect(slowCrc(bytes)).toBe(BigInt(value));
  });

  it('is masked as TFRecord does', () => {
    // Event files of TensorFlow begin with a record of 24 bytes, and so with 18 00 00 00 00 00 00 00 a3 7f 4b 22.
    expect(maskedCrc32c(Uint8Array.of(0x18, 0, 0, 0, 0, 0, 0, 0))).toBe(0x224b7fa3);
  });
});

describe('ProtobufMessage', () => {
  it('writes integers wider than 32 bits', () => {
    expect(readFields(new ProtobufMessage().integer(2, 2 ** 40 + 5).bytes())).toEqual([
      { field: 2, value: 2n ** 40n + 5n },
    ]);
    expect(new ProtobufMessage().integer(1, 150).bytes()).toEqual(Uint8Array.of(0x08, 0x96, 0x01));
  });

  it('writes strings in UTF-8 with their length in bytes', () => {
    expect(new ProtobufMessage().string(2, 'testing').bytes()).toEqual(
      Uint8Array.of(0x12, 0x07, ...new TextEncoder().encode('testing')),
    );
    expect(new ProtobufMessage().string(1, 'é').bytes()).toEqual(Uint8Array.of(0x0a, 2, 0xc3, 0xa9));
  });
});

describe('TensorBoardLog', () => {
  it('writes scalars and texts that a reader of its own finds again', async () => {
    const before = Date.now() / 1000;
    const log = await TensorBoardLog.open(join(folder, 'run'), 0);
    await log.add(METRICS);
    await log.add({
      ...METRICS,
      step: 100_000,
      loss: Number.NaN,
      validationLoss: 3.5,
      accuracy: { 40: 1, 256: 0.75 },
      samples: [{ prompt: 'Once', text: ' upon\na *time* <b>ü</b>' }],
    });
    await log.close();
    expect(basename(log.path)).toMatch(/^events\.out\.tfevents\.\d{10}\.xlstm\.\d{3}$/);
    const events = await readEvents(log.path);
    expect(events[0]).toMatchObject({ version: 'brain.Event:2', step: 0, scalars: {} });
    expect(events[1]).toMatchObject({ status: 1, step: 1 });
    expect(events[2]).toMatchObject({
      step: 1,
      scalars: { 'loss/train': 8.25, lr: Math.fround(1e-3), gradient_norm: 0.5, tokens_per_second: 511_000 },
    });
    expect(Object.keys(events[2]!.scalars)).toHaveLength(4);
    expect(events[3]).toMatchObject({
      step: 100_000,
      scalars: { 'loss/train': Number.NaN, 'loss/validation': 3.5, 'accuracy/40': 1, 'accuracy/256': 0.75 },
      texts: { 'samples/1': '**Once**\n\n upon  \na \\*time\\* \\<b\\>ü\\</b\\>' },
    });
    expect(events).toHaveLength(4);
    for (const { wallTime } of events) {
      expect(wallTime).toBeGreaterThanOrEqual(before);
      expect(wallTime).toBeLessThanOrEqual(Date.now() / 1000);
    }
  });

  it('begins a new file when a run goes on, however soon', async () => {
    const out = join(folder, 'resumed');
    const first = await TensorBoardLog.open(out, 0);
    await first.add(METRICS);
    await first.close();
    const bytes = await readFile(first.path);
    const second = await TensorBoardLog.open(out, 20);
    await second.add({ ...METRICS, step: 21 });
    await second.close();
    const names = (await readdir(join(out, 'tensorboard'))).sort();
    expect(names).toEqual([basename(first.path), basename(second.path)]);
    expect(await readFile(first.path)).toEqual(bytes);
    // Steps from 21 on that an earlier file tells of are superseded.
    expect((await readEvents(second.path)).map(({ step, status }) => [step, status])).toEqual([
      [0, undefined],
      [21, 1],
      [21, undefined],
    ]);
  });

  it('says what to do when it cannot write', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const error = await TensorBoardLog.open(file, 0).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toMatch(/choose another out_dir or set logger.tensorboard=false/);
  });
});
