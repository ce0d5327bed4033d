import { decodeToFloat32, encodeFromFloat32, type FloatDtype } from '@xlstm/device';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fingerprint } from './fingerprint.ts';

/** A vector, a small matrix and one that is sampled, the matrices in `dtype`, cut into pieces of `most` elements. */
function fingerprintOf(values: Float32Array, dtype: FloatDtype, most: number): string {
  const print = new Fingerprint();
  const take = (name: string, shape: number[], kept: FloatDtype) => {
    print.name(name, shape);
    const length = shape.reduce((product, size) => product * size, 1);
    const whole = Float32Array.from({ length }, (_, at) => values[at % values.length]! * ((at % 7) - 3.5));
    for (let at = 0; at < length; at += most) {
      const piece = encodeFromFloat32(whole.subarray(at, at + most), kept);
      print.piece(piece as Float32Array | Uint16Array, at);
    }
  };
  take('norm', [values.length], 'fp32');
  take('gate', [2, values.length], dtype);
  take('matrix', [70_001, 1], dtype);
  return print.digest();
}

describe('Fingerprint', () => {
  const finite = fc.float({ noNaN: true, min: -1000, max: 1000 });

  it('is one for fp32, bf16 and fp16, underflow included, and however the pieces are cut', () => {
    const some = fc.float32Array({ minLength: 1, maxLength: 60, noNaN: true, min: -1000, max: 1000 });
    fc.assert(
      fc.property(some, fc.integer({ min: 50, max: 80_000 }), (values, most) => {
        const wanted = fingerprintOf(values, 'fp32', 1e6);
        for (const dtype of ['fp32', 'bf16', 'fp16'] as const) {
          expect(fingerprintOf(values, dtype, most)).toBe(wanted);
        }
        const savedAsBf16 = decodeToFloat32(encodeFromFloat32(values, 'bf16') as Uint16Array, 'bf16');
        const vectorOf = (data: Float32Array) => {
          const print = new Fingerprint();
          print.name('norm', [data.length]);
          print.piece(data, 0);
          return print.digest();
        };
        expect(vectorOf(savedAsBf16)).toBe(vectorOf(values));
      }),
      { numRuns: 40 },
    );
  });

  it('differs by one value of a vector and by one sign of a small matrix', () => {
    const printOf = (shape: number[], data: Float32Array) => {
      const print = new Fingerprint();
      print.name('a', shape);
      print.piece(data, 0);
      return print.digest();
    };
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 50 }), fc.nat(49), (list, where) => {
        const at = where % list.length;
        const data = Float32Array.from(list);
        const grown = data.with(at, data[at]! * 1.05 + 1);
        expect(printOf([data.length], grown)).not.toBe(printOf([data.length], data));
        const turned = data.with(at, -data[at]!);
        expect(printOf([data.length, 1], turned)).not.toBe(printOf([data.length, 1], data));
      }),
    );
  });

  it('samples the signs of a large matrix in every column', () => {
    const columns = 512;
    const data = new Float32Array(columns * 256).fill(1);
    const printOf = () => {
      const print = new Fingerprint();
      print.name('a', [256, columns]);
      print.piece(data, 0);
      return print.digest();
    };
    const prints = new Set([printOf()]);
    for (let column = 0; column < columns; column++) {
      for (let row = 0; row < 256; row++) data[row * columns + column] = -1;
      prints.add(printOf());
    }
    expect(prints.size).toBe(columns + 1);
  });
});
