import { CheckpointError, OptionError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../byte-source/bytes-source.ts';
import { GuardedSource } from '../testing/guarded-source.ts';
import { rawSafetensors } from '../testing/raw-safetensors.ts';
import { openSafetensors, readTensorBytes } from './open-safetensors.ts';

const f32 = (begin: number, end: number, shape: number[] = [(end - begin) / 4]): object => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('openSafetensors', () => {
  it('reads the header and nothing else', async () => {
    const header = { __metadata__: { format: 'pt' }, b: f32(4, 12, [1, 2]), a: f32(0, 4), none: f32(12, 12, [0, 7]) };
    const source = new GuardedSource(rawSafetensors(header, 12));
    const file = await openSafetensors(source);
    const dataStart = source.size - 12;
    expect(source.bytesRead).toBe(dataStart);
    expect([...file.tensors.keys()]).toEqual(['b', 'a', 'none']);
    expect(file.tensors.get('b')).toEqual({
      name: 'b',
      dtype: 'F32',
      shape: [1, 2],
      byteLength: 8,
      offset: dataStart + 4,
      source,
    });
    expect([...file.metadata]).toEqual([['format', 'pt']]);
  });

  it('takes a scalar, a file without tensors and padding after the header', async () => {
    const scalar = await openSafetensors(bytesSource(rawSafetensors({ s: f32(0, 4, []) }, 4), 's'));
    expect(scalar.tensors.get('s')?.shape).toEqual([]);
    expect((await openSafetensors(bytesSource(rawSafetensors('{}      '), 'e'))).tensors.size).toBe(0);
  });

  const duplicate = `{"a":${JSON.stringify(f32(0, 4))},"\\u0061":${JSON.stringify(f32(4, 8))}}`;
  const entry = (fields: object): object => ({ a: { ...f32(0, 8), ...fields } });
  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /bad\.safetensors must begin with 8 bytes .* got a file of 0 bytes/],
    ['a file of 7 bytes', new Uint8Array(7), /truncated/],
    ['a header length beyond the file', rawSafetensors('{}', 0, 3n), /claims a header of 3 bytes, got a file of 10/],
    [
      'a header length near 2^63',
      rawSafetensors('{}', 0, 2n ** 63n - 1n),
      /at most 100000000 bytes, got a length of 9223372036854775807/,
    ],
    ['a header length of 2^64 - 1', rawSafetensors('{}', 0, 2n ** 64n - 1n), /got a length of 18446744073709551615/],
    ['a header length over 100 MB', rawSafetensors('{}', 0, 100_000_001n), /at most 100000000/],
    ['a header length of 0', rawSafetensors(''), /not valid JSON: expected a value at character 0/],
    ['invalid UTF-8', rawSafetensors(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])), /expected UTF-8/],
    ['a byte order mark', rawSafetensors(utf8('\ufeff{}')), /not valid JSON/],
    ['text that is not JSON', rawSafetensors('{"a": what}'), /not valid JSON/],
    ['an array', rawSafetensors('[]'), /expected a JSON object from the first byte on, got \[\]/],
    ['a number', rawSafetensors('12'), /expected a JSON object .* got 12/],
    ['space before the header', rawSafetensors(' {}'), /from the first byte/],
    ['a duplicate key', rawSafetensors(duplicate, 8), /duplicate key "a"/],
    ['metadata that is not an object', rawSafetensors({ __metadata__: [] }), /__metadata__ must be an object/],
    ['metadata that is not strings', rawSafetensors({ __metadata__: { a: 1 } }), /got 1 for "a"/],
    ['an entry that is not an object', rawSafetensors({ a: [0, 8] }, 8), /tensor "a": expected an object/],
    ['an entry without dtype', rawSafetensors({ a: { shape: [2], data_offsets: [0, 8] } }, 8), /got no dtype/],
    ['an entry without shape', rawSafetensors({ a: { dtype: 'F32', data_offsets: [0, 8] } }, 8), /got no shape/],
    ['an entry without offsets', rawSafetensors({ a: { dtype: 'F32', shape: [2] } }, 8), /got no data_offsets/],
    ['an unknown dtype', rawSafetensors(entry({ dtype: 'F31' }), 8), /dtype must be one of .* got "F31"/],
    ['a dtype named like an object method', rawSafetensors(entry({ dtype: 'toString' }), 8), /got "toString"/],
    ['a negative shape', rawSafetensors(entry({ shape: [-2] }), 8), /shape must hold integers of 0 or more, got -2/],
    ['a fractional shape', rawSafetensors(entry({ shape: [0.5] }), 8), /number "0.5".*in "a" > "shape"/],
    ['a shape of strings', rawSafetensors(entry({ shape: ['2'] }), 8), /integers of 0 or more, got "2"/],
    ['a shape that is a number', rawSafetensors(entry({ shape: 2 }), 8), /shape must be an array/],
    [
      'an unsafe size',
      rawSafetensors(`{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,8]}}`, 8),
      /2\^53/,
    ],
    ['a product past 2^53', rawSafetensors(entry({ shape: [2 ** 30, 2 ** 30] }), 8), /less than 2\^53 bytes/],
    [
      'a product that wraps to the right count in 64 bits',
      rawSafetensors(entry({ shape: [2 ** 32, 2 ** 31, 2] }), 8),
      /2\^53/,
    ],
    ['a wrong byte count', rawSafetensors(entry({ shape: [3] }), 8), /F32 of shape \[3\] takes 12 bytes.*that is 8/],
    ['a shape too small for its bytes', rawSafetensors(entry({ shape: [1] }), 8), /takes 4 bytes.*that is 8/],
    ['one offset', rawSafetensors(entry({ data_offsets: [8] }), 8), /\[begin, end\], got \[8\]/],
    ['offsets that run backwards', rawSafetensors(entry({ data_offsets: [8, 0] }), 8), /backwards/],
    ['a negative offset', rawSafetensors(entry({ data_offsets: [-8, 0] }), 8), /0 or more, got -8/],
    [
      'an offset past the end',
      rawSafetensors(entry({ shape: [3], data_offsets: [0, 12] }), 8),
      /within the 8 bytes of data/,
    ],
    ['overlapping tensors', rawSafetensors({ a: f32(0, 8), b: f32(4, 12) }, 12), /"b" overlaps "a" by 4 bytes/],
    ['two tensors on the same bytes', rawSafetensors({ a: f32(0, 8), b: f32(0, 8) }, 8), /overlaps/],
    ['a hole at the start', rawSafetensors({ a: f32(4, 8) }, 8), /"a" leaves a hole after the header of 4 bytes/],
    [
      'a hole in between',
      rawSafetensors({ a: f32(0, 4), b: f32(8, 12) }, 12),
      /"b" leaves a hole after "a" of 4 bytes/,
    ],
    ['an oversized file', rawSafetensors({ a: f32(0, 8) }, 9), /oversized/],
    ['data without tensors', rawSafetensors('{}', 4), /oversized/],
  ])('refuses %s', async (_, bytes, message) => {
    const source = new GuardedSource(bytes, 'bad.safetensors');
    const opening = openSafetensors(source);
    await expect(opening).rejects.toThrow(CheckpointError);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(/bad\.safetensors/);
  });

  it('refuses every truncation of a valid file', async () => {
    const whole = rawSafetensors({ a: f32(0, 8), b: f32(8, 20, [3, 1]) }, 20);
    for (let length = 0; length < whole.byteLength; length++) {
      const source = new GuardedSource(whole.subarray(0, length));
      await expect(openSafetensors(source), `${length} bytes`).rejects.toThrow(CheckpointError);
    }
  });

  it('keeps a hostile name out of its message', async () => {
    const hostile = `\u001b[31m${'x'.repeat(1_000_000)}`;
    const error: unknown = await openSafetensors(new GuardedSource(rawSafetensors({ [hostile]: 1 }))).catch((e) => e);
    expect((error as Error).message.length).toBeLessThan(400);
    expect((error as Error).message).not.toContain('\u001b');
  });

  it('stops on an abort', async () => {
    const source = new GuardedSource(rawSafetensors({ a: f32(0, 8) }, 8));
    const reason = new Error('stop');
    await expect(openSafetensors(source, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('readTensorBytes', () => {
  it('gives all of a tensor or a range of it, aligned whatever its place in the file', async () => {
    const header = {
      u: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
      i: { dtype: 'I32', shape: [2], data_offsets: [1, 9] },
    };
    const { tensors } = await openSafetensors(bytesSource(rawSafetensors(header, 9), 'x'));
    const info = tensors.get('i')!;
    const all = await readTensorBytes(info);
    expect([...all]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...new Int32Array(all.buffer)]).toEqual([0x04030201, 0x08070605]);
    expect([...(await readTensorBytes(info, { offset: 2, length: 3 }))]).toEqual([3, 4, 5]);
    expect([...(await readTensorBytes(info, { offset: 6 }))]).toEqual([7, 8]);
    await expect(readTensorBytes(info, { offset: 6, length: 3 })).rejects.toThrow(OptionError);
    await expect(readTensorBytes(info, { offset: 9 })).rejects.toThrow(OptionError);
  });
});
