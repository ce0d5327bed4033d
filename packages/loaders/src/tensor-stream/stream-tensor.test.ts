import { DtypeError, OptionError } from '@xlstm/device';
import { decodeToFloat32, encodeFromFloat32, type FloatDtype } from '@xlstm/device/dtypes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeSafetensors, type NamedTensor } from '../safetensors/encode-safetensors.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import { openSafetensors } from '../safetensors/open-safetensors.ts';
import { GuardedSource } from '../testing/guarded-source.ts';
import { loadTensor, streamTensor } from './stream-tensor.ts';

async function stored(tensor: Omit<NamedTensor, 'name'>): Promise<{ info: TensorInfo; source: GuardedSource }> {
  const source = new GuardedSource(encodeSafetensors([{ name: 't', ...tensor }]));
  return { info: (await openSafetensors(source)).tensors.get('t')!, source };
}

const NAMES = { fp32: 'F32', fp16: 'F16', bf16: 'BF16' } as const;
const DTYPES = ['fp32', 'fp16', 'bf16'] as const;
const values = fc.float32Array({ minLength: 0, maxLength: 50, noNaN: true });

/** Joined by bits, since NaN payloads and the sign of zero count too. */
async function bitsOf(info: TensorInfo, dtype: FloatDtype, pieceBytes: number): Promise<number[]> {
  const bits: number[] = [];
  for await (const { elementOffset, data } of streamTensor(info, dtype, { pieceBytes })) {
    expect(elementOffset).toBe(bits.length);
    bits.push(...bitsIn(data));
  }
  return bits;
}

function bitsIn(data: Float32Array | Uint16Array): number[] {
  if (data instanceof Uint16Array) return [...data];
  return [...new Uint32Array(data.buffer, data.byteOffset, data.length)];
}

describe('streamTensor', () => {
  for (const from of DTYPES) {
    for (const to of DTYPES) {
      it(`converts ${from} to ${to} piece by piece, each byte read once`, async () => {
        await fc.assert(
          fc.asyncProperty(values, fc.integer({ min: 8, max: 80 }), async (floats, pieceBytes) => {
            const data = encodeFromFloat32(floats, from);
            const { info, source } = await stored({ dtype: NAMES[from], shape: [data.length], data });
            const expected = from === to ? data : encodeFromFloat32(decodeToFloat32(data, from), to);
            expect(await bitsOf(info, to, pieceBytes)).toEqual(bitsIn(expected));
            expect(source.readsOf.every((reads) => reads === 1)).toBe(true);
            expect(bitsIn(await loadTensor(info, to))).toEqual(bitsIn(expected));
          }),
          { numRuns: 60 },
        );
      });
    }
  }

  it('passes every 16-bit pattern of the same dtype, and brings each but NaN back from fp32', async () => {
    const data = Uint16Array.from({ length: 65536 }, (_, index) => index);
    for (const dtype of ['fp16', 'bf16'] as const) {
      const { info } = await stored({ dtype: NAMES[dtype], shape: [256, 256], data });
      expect(await bitsOf(info, dtype, 1000)).toEqual([...data]);
      const wide = await loadTensor(info, 'fp32');
      const back = await loadTensor((await stored({ dtype: 'F32', shape: [65536], data: wide })).info, dtype);
      for (let bits = 0; bits < 65536; bits++) {
        if (!Number.isNaN(wide[bits]!)) expect(back[bits]).toBe(bits);
      }
    }
  });

  it('passes NaN payloads of float32 bit for bit', async () => {
    const bits = new Uint32Array([0x7fc00001, 0xffc12345, 0x7f800001, 0x80000000]);
    const { info } = await stored({ dtype: 'F32', shape: [4], data: bits });
    expect(await bitsOf(info, 'fp32', 8)).toEqual([...bits]);
    expect([...new Uint32Array((await loadTensor(info, 'fp32')).buffer)]).toEqual([...bits]);
  });

  it('narrows float64 through float32', async () => {
    const data = new Float64Array([Math.PI, 1e300, -1e-300, Number.NaN, 65504, 1 / 3]);
    const { info } = await stored({ dtype: 'F64', shape: [2, 3], data });
    expect(await bitsOf(info, 'fp32', 24)).toEqual(bitsIn(Float32Array.from(data)));
    expect(await bitsOf(info, 'bf16', 24)).toEqual(bitsIn(encodeFromFloat32(Float32Array.from(data), 'bf16')));
  });

  it('reads no more than a piece ahead of what is taken, in pieces of the size asked for', async () => {
    const { info, source } = await stored({ dtype: 'F32', shape: [100], data: new Float32Array(100) });
    const before = source.bytesRead;
    source.largestRead = 0;
    for await (const { elementOffset } of streamTensor(info, 'bf16', { pieceBytes: 42 })) {
      expect(source.bytesRead - before).toBe(Math.min(400, (elementOffset + 10) * 4));
      if (elementOffset === 50) break;
    }
    expect(source.largestRead).toBe(40);
    expect(source.bytesRead - before).toBe(240);
  });

  it('gives nothing for an empty tensor', async () => {
    const { info } = await stored({ dtype: 'F16', shape: [3, 0], data: new Uint16Array(0) });
    expect(await bitsOf(info, 'fp32', 8)).toEqual([]);
    expect(await loadTensor(info, 'bf16')).toHaveLength(0);
  });

  it('stops between pieces on an abort', async () => {
    const { info, source } = await stored({ dtype: 'BF16', shape: [64], data: new Uint16Array(64) });
    const before = source.bytesRead;
    const stop = new AbortController();
    const reason = new Error('stop');
    const reading = (async () => {
      for await (const _ of streamTensor(info, 'fp32', { pieceBytes: 16, signal: stop.signal })) stop.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
    expect(source.bytesRead - before).toBe(16);
    await expect(loadTensor(info, 'bf16', { signal: stop.signal })).rejects.toBe(reason);
    await expect(loadTensor(info, 'fp16', { signal: stop.signal })).rejects.toBe(reason);
  });

  it('refuses integers, unknown dtypes and pieces too small, at the call', async () => {
    const { info, source } = await stored({ dtype: 'I32', shape: [2], data: new Int32Array(2) });
    const before = source.bytesRead;
    expect(() => streamTensor(info, 'fp32')).toThrow(DtypeError);
    expect(() => streamTensor(info, 'fp32')).toThrow(
      /"t" of guarded\.safetensors must be F32, F16, BF16 or F64, got I32/,
    );
    await expect(loadTensor(info, 'bf16')).rejects.toThrow(DtypeError);
    const { info: float } = await stored({ dtype: 'F32', shape: [2], data: new Float32Array(2) });
    expect(() => streamTensor(float, 'q8' as FloatDtype)).toThrow(DtypeError);
    for (const pieceBytes of [0, 7, 8.5, Number.NaN, -8, Number.POSITIVE_INFINITY]) {
      expect(() => streamTensor(float, 'fp32', { pieceBytes })).toThrow(OptionError);
    }
    expect(source.bytesRead).toBe(before);
  });
});
