import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DtypeError } from '../errors.ts';
import { decodeTable, decodeToFloat32, encodeFromFloat32 } from './convert.ts';
import { dtypeBytes, isFloatDtype, newArray } from './dtype.ts';

/** Bits of sign, exponent and fraction: what the two formats differ in. */
const FORMATS = {
  fp16: { fractionBits: 10, bias: 15, infinity: 0x7c00, largest: 65504 },
  bf16: { fractionBits: 7, bias: 127, infinity: 0x7f80, largest: 2 ** 127 * (2 - 2 ** -7) },
} as const;
const DTYPES = ['fp16', 'bf16'] as const;

/** The value of a pattern by the IEEE 754 definition, in float64. */
function patternValue(pattern: number, dtype: 'fp16' | 'bf16'): number {
  const { fractionBits, bias, infinity } = FORMATS[dtype];
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern & infinity) >> fractionBits;
  const fraction = (pattern & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  if ((pattern & infinity) === infinity) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

const encode = (value: number, dtype: 'fp16' | 'bf16') => encodeFromFloat32(Float32Array.of(value), dtype)[0]!;

describe.each(DTYPES)('%s', (dtype) => {
  const { infinity, largest } = FORMATS[dtype];
  const table = decodeTable(dtype);

  it('decodes each of the 65,536 patterns to its value, signed zeros included', () => {
    expect(table).toHaveLength(65536);
    for (let pattern = 0; pattern < 65536; pattern++) {
      if (!Object.is(table[pattern], patternValue(pattern, dtype))) {
        expect.fail(`pattern ${pattern}: ${table[pattern]} for ${patternValue(pattern, dtype)}`);
      }
    }
  });

  it('encodes each decoded pattern back to itself; every NaN stays a NaN of its sign or the canonical one', () => {
    const encoded = encodeFromFloat32(table, dtype);
    for (let pattern = 0; pattern < 65536; pattern++) {
      const isNaNPattern = (pattern & 0x7fff) > infinity;
      const good = isNaNPattern ? (encoded[pattern]! & 0x7fff) > infinity : encoded[pattern] === pattern;
      if (!good) expect.fail(`pattern ${pattern} came back as ${encoded[pattern]}`);
    }
  });

  it('rounds to the nearest, and ties to even, between each pair of neighbours', () => {
    // The middle of two 16-bit neighbours is always a float32, so its float32 neighbours lie on either side of the tie.
    const values = new Float32Array(1);
    const words = new Uint32Array(values.buffer);
    for (let pattern = 0; pattern < infinity - 1; pattern++) {
      const low = table[pattern]!;
      const high = table[pattern + 1]!;
      const middle = (low + high) / 2;
      values[0] = middle;
      expect(values[0]).toBe(middle);
      const even = pattern % 2 === 0 ? pattern : pattern + 1;
      const word = words[0]!;
      const wanted = [
        [word, even],
        [word - 1, pattern],
        [word + 1, pattern + 1],
      ] as const;
      for (const [bits, nearest] of wanted) {
        words[0] = bits;
        if (encode(values[0]!, dtype) !== nearest) expect.fail(`${values[0]} became ${encode(values[0]!, dtype)}`);
        if (encode(-values[0]!, dtype) !== (nearest | 0x8000)) expect.fail(`-${values[0]} has the wrong sign or place`);
      }
    }
  });

  it('overflows to infinity exactly where rounding says so', () => {
    const step = largest - table[infinity - 2]!;
    expect(encode(largest, dtype)).toBe(infinity - 1);
    expect(encode(largest + step * 0.49, dtype)).toBe(infinity - 1);
    expect(encode(largest + step / 2, dtype)).toBe(infinity);
    expect(encode(-largest - step / 2, dtype)).toBe(infinity | 0x8000);
    expect(encode(Number.POSITIVE_INFINITY, dtype)).toBe(infinity);
    expect(encode(Number.NEGATIVE_INFINITY, dtype)).toBe(infinity | 0x8000);
  });

  it('keeps NaN a NaN whatever its fraction, also where only the lowest bits are set', () => {
    const values = new Float32Array(1);
    const words = new Uint32Array(values.buffer);
    for (const word of [0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff]) {
      words[0] = word;
      const encoded = encodeFromFloat32(values, dtype)[0]!;
      expect(encoded & 0x7fff).toBeGreaterThan(infinity);
    }
  });

  it('is as near as any pattern can be, for any float32', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -largest, max: largest }), (value) => {
        const pattern = encode(value, dtype);
        const error = Math.abs(table[pattern]! - value);
        for (const other of [pattern - 1, pattern + 1]) {
          const neighbour = table[other & 0xffff]!;
          if (Number.isFinite(neighbour)) expect(error).toBeLessThanOrEqual(Math.abs(neighbour - value));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps the order of values', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) => {
        const [low, high] = a <= b ? [a, b] : [b, a];
        expect(table[encode(low, dtype)]!).toBeLessThanOrEqual(table[encode(high, dtype)]!);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('decodeToFloat32', () => {
  it('fills a given target from its start and leaves the rest', () => {
    const target = new Float32Array([9, 9, 9]);
    expect(decodeToFloat32(Uint16Array.of(0x3f80, 0xc000), 'bf16', target)).toBe(target);
    expect([...target]).toEqual([1, -2, 9]);
  });

  it('copies fp32', () => {
    const source = Float32Array.of(1.5, -0);
    const decoded = decodeToFloat32(source, 'fp32');
    expect(decoded).not.toBe(source);
    expect(decoded).toEqual(source);
    expect(encodeFromFloat32(source, 'fp32')).not.toBe(source);
  });

  it('refuses a target that is too short', () => {
    expect(() => decodeToFloat32(new Uint16Array(3), 'fp16', new Float32Array(2))).toThrow(DtypeError);
  });
});

describe('dtypes', () => {
  it('knows sizes, floats and host arrays', () => {
    expect((['fp32', 'fp16', 'bf16', 'i32', 'u32'] as const).map(dtypeBytes)).toEqual([4, 2, 2, 4, 4]);
    expect((['fp32', 'fp16', 'bf16', 'i32', 'u32'] as const).map(isFloatDtype)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(newArray('fp32', 3)).toEqual(new Float32Array(3));
    expect(newArray('bf16', 3)).toEqual(new Uint16Array(3));
    expect(newArray('i32', 1)).toEqual(new Int32Array(1));
    const bytes = Uint8Array.of(0, 0, 0, 0, 7, 0, 0, 0).buffer;
    expect(newArray('u32', 1, bytes, 4)).toEqual(Uint32Array.of(7));
  });
});
