import { describe, expect, it } from 'vitest';
import { DtypeError, ShapeError } from '../errors.ts';
import { decodeToFloat32, encodeFromFloat32 } from './convert.ts';
import { dequantizeRows, QUANTIZATION_GROUPS, quantizedLengths, quantizeRows } from './quantize.ts';

const K = 128;
const ROWS = 24;

/** Uniform in −1…1, from a fixed sequence. */
function uniform(length: number): Float32Array {
  let seed = 12345;
  return Float32Array.from({ length }, () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed / 2 ** 31 - 1;
  });
}

function relativeRms(actual: Float32Array, expected: Float32Array): number {
  let error = 0;
  let norm = 0;
  for (let at = 0; at < expected.length; at++) {
    error += (actual[at]! - expected[at]!) ** 2;
    norm += expected[at]! ** 2;
  }
  return Math.sqrt(error / norm);
}

describe.each(QUANTIZATION_GROUPS)('groups of %i', (group) => {
  const values = uniform(ROWS * K);

  // Uniform values in −a…a with a step of a/127 or about a/8: the error's deviation is step/√12, the values' a/√3.
  it.each([
    ['q8', 0.5 / 127],
    ['q4', 0.5 / 7],
  ] as const)('%s comes back within its step', (dtype, most) => {
    const rows = quantizeRows(values, K, dtype, group);
    expect(rows.codes).toHaveLength(quantizedLengths(dtype, group, ROWS, K).codes);
    expect(rows.scales).toHaveLength(quantizedLengths(dtype, group, ROWS, K).scales);
    const error = relativeRms(dequantizeRows(rows, K, dtype, group), values);
    expect(error).toBeLessThan(most * 1.05);
    expect(error).toBeGreaterThan(most / 2);
  });

  it.each(['q8', 'q4'] as const)('%s of what was quantised before is the same again', (dtype) => {
    const once = dequantizeRows(quantizeRows(values, K, dtype, group), K, dtype, group);
    const twice = dequantizeRows(quantizeRows(once, K, dtype, group), K, dtype, group);
    expect(relativeRms(twice, once)).toBeLessThan(dtype === 'q8' ? 1e-6 : 0.01);
  });
});

describe('normal weights', () => {
  // The bounds of docs/formats.md. With the scale max/127 alone, q8 has 0.535, 0.593 and 0.647 %.
  it.each([
    ['q8', 32, 0.0052],
    ['q8', 64, 0.006],
    ['q8', 128, 0.0067],
    ['q4', 32, 0.086],
    ['q4', 64, 0.095],
    ['q4', 128, 0.102],
  ] as const)('in %s, groups of %i, are off by less than is promised', (dtype, group, most) => {
    const [angles, radii] = [uniform(2 ** 17), uniform(2 ** 17).reverse()];
    const values = angles.map(
      (angle, at) => 0.02 * Math.sqrt(-2 * Math.log((radii[at]! + 1) / 2 + 1e-9)) * Math.cos(Math.PI * angle),
    );
    const error = relativeRms(dequantizeRows(quantizeRows(values, K, dtype, group), K, dtype, group), values);
    expect(error).toBeLessThan(most);
    expect(error).toBeGreaterThan(most * 0.85);
  });

  it('have no better scale of q8 than the one that was kept', () => {
    const values = uniform(64 * 32);
    const { scales } = quantizeRows(values, 32, 'q8', 32);
    const half = decodeToFloat32(scales, 'fp16');
    half.forEach((kept, row) => {
      const own = values.subarray(32 * row, 32 * row + 32);
      const errorOf = (scale: number) =>
        own.reduce(
          (sum, value) => sum + (value - scale * Math.max(-127, Math.min(127, Math.round(value / scale)))) ** 2,
          0,
        );
      const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const tried = Array.from({ length: 8 }, (_, at) => Float32Array.of(largest / (127 - at)));
      const errors = tried.map((scale) => errorOf(decodeToFloat32(encodeFromFloat32(scale, 'fp16'), 'fp16')[0]!));
      expect(errorOf(kept)).toBeLessThanOrEqual(Math.min(...errors) * (1 + 1e-6));
    });
  });
});

describe('the layout', () => {
  it('puts the codes of q8 into bytes and of q4 into nibbles, from the low bits up', () => {
    const values = Float32Array.from({ length: 32 }, (_, at) => (at < 16 ? at - 8 : 0));
    const q4 = quantizeRows(values, 32, 'q4', 32);
    expect([...q4.scales]).toEqual([0x3c00]); // 1: the extreme, −8, is the code −8
    expect([...q4.codes]).toEqual([0x76543210, 0xfedcba98, 0x88888888, 0x88888888]);
    const q8 = quantizeRows(
      values.map((value) => Math.trunc((value / 8) * 127)),
      32,
      'q8',
      32,
    );
    expect([...q8.scales]).toEqual([0x3c00]);
    expect(q8.codes[0]).toBe(0xb1a19181); // −127, −111, −95, −79
  });

  it('keeps zeros zero, whatever the group', () => {
    for (const dtype of ['q8', 'q4'] as const) {
      const rows = quantizeRows(new Float32Array(64), 64, dtype, 32);
      expect([...dequantizeRows(rows, 64, dtype, 32)].every((value) => value === 0)).toBe(true);
    }
  });

  it('keeps values as small as fp16 can scale', () => {
    const values = uniform(256).map((value) => value * 1e-4);
    const back = dequantizeRows(quantizeRows(values, 256, 'q8', 32), 256, 'q8', 32);
    expect(relativeRms(back, values)).toBeLessThan(0.03);
  });
});

describe('refusals', () => {
  it('names the group, K and what came', () => {
    expect(() => quantizeRows(new Float32Array(40), 40, 'q4', 32)).toThrow(ShapeError);
    expect(() => quantizeRows(new Float32Array(64), 64, 'q4', 48)).toThrow('group must be 32, 64, 128, got 48');
    const rows = quantizeRows(new Float32Array(64), 64, 'q4', 32);
    expect(() => dequantizeRows({ ...rows, scales: new Uint16Array(1) }, 64, 'q4', 32)).toThrow('expected 2 scales');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 1e38])('refuses %d', (bad) => {
    for (const dtype of ['q8', 'q4'] as const) {
      expect(() => quantizeRows(new Float32Array(32).fill(bad, 5, 6), 32, dtype, 32)).toThrow(DtypeError);
    }
  });
});
