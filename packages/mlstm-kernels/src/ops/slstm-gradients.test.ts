import { Random } from '@xlstm-tooling/kernel-harness';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SlstmShape } from '../slstm-shape.ts';
import { slstmArrays } from '../testing/slstm-case-data.ts';
import { backward64, type Float64Cell, forward64 } from '../testing/slstm-float64.ts';

const shapes = fc.record({
  B: fc.integer({ min: 1, max: 3 }),
  S: fc.integer({ min: 1, max: 5 }),
  NH: fc.integer({ min: 1, max: 2 }),
  DH: fc.integer({ min: 1, max: 3 }),
});
const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const initials = fc.constantFrom('empty', 'full', 'mixed');
const RUNS = { numRuns: 25, seed: 4 };

function cellOf(shape: SlstmShape, seed: number, initial: 'empty' | 'full' | 'mixed'): Float64Cell {
  const arrays = slstmArrays(new Random(seed), shape, { initial });
  return {
    x: Float64Array.from(arrays.x),
    recurrent: Float64Array.from(arrays.recurrent),
    bias: Float64Array.from(arrays.bias),
    state: Float64Array.from(arrays.state),
  };
}

function weightsFor(seed: number, length: number): Float64Array {
  return Float64Array.from(new Random(seed).normals(length));
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0);

function expectClose(actual: Float64Array, expected: Float64Array, name: string, bound = 1e-12): void {
  for (const [at, value] of expected.entries()) {
    expect(Math.abs(actual[at]! - value), `${name}[${at}]: ${actual[at]} for ${value}`).toBeLessThan(
      bound * (1 + Math.abs(value)),
    );
  }
}

describe('the gradients of the sLSTM reference', () => {
  it('are the differences of its outputs, states included, with and without a clip of y', () => {
    const property = fc.property(shapes, seeds, initials, fc.constantFrom(0, 0.3), (shape, seed, initial, clip) => {
      const cell = cellOf(shape, seed, initial);
      const kept = forward64(shape, cell, clip);
      const dy = weightsFor(seed + 1, kept.y.length);
      const dlast = weightsFor(seed + 2, kept.last.length);
      const loss = () => {
        const { y, last } = forward64(shape, cell, clip);
        return dot(y, dy) + dot(last, dlast);
      };
      const gradients = backward64(shape, cell.recurrent, kept, { dy, dlast, clip });
      const plane = cell.state.length / 4;
      for (const name of ['x', 'recurrent', 'bias', 'state'] as const) {
        const values = cell[name];
        for (let at = 0; at < values.length; at++) {
          // At n = 0 another rule for m holds than beside it, so that there is no derivative.
          if (name === 'state' && at >= 2 * plane && at < 3 * plane && values[at] === 0) continue;
          const value = values[at]!;
          const step = 1e-5;
          values[at] = value + step;
          const above = loss();
          values[at] = value - step;
          const below = loss();
          values[at] = value;
          const expected = (above - below) / (2 * step);
          expect(
            Math.abs(gradients[name][at]! - expected),
            `d${name}[${at}]: ${gradients[name][at]} for ${expected}`,
          ).toBeLessThan(2e-6 * (1 + Math.abs(expected)));
        }
      }
    });
    fc.assert(property, RUNS);
  });

  it('with the recurrence cut are those of a cell whose gates do not see y, with dR from the y they saw', () => {
    const property = fc.property(shapes, seeds, (shape, seed) => {
      const cell = cellOf(shape, seed, 'full');
      const kept = forward64(shape, cell);
      const dy = weightsFor(seed + 1, kept.y.length);
      const dlast = weightsFor(seed + 2, kept.last.length);
      const cut = backward64(shape, cell.recurrent, kept, { dy, dlast, cut: 1 });
      const blind = backward64(shape, new Float64Array(cell.recurrent.length), kept, { dy, dlast });
      for (const name of ['x', 'recurrent', 'bias', 'state'] as const) expectClose(cut[name], blind[name], name);
      const plane = cell.state.length / 4;
      expect([...cut.state.subarray(0, plane)].every((value) => value === 0)).toBe(true);
    });
    fc.assert(property, RUNS);
  });

  it('with the recurrent gradient clipped are those of single steps, clipped in between', () => {
    const property = fc.property(shapes, seeds, fc.constantFrom(0.02, 0.3), (shape, seed, recurrentClip) => {
      const { B, S, NH, DH } = shape;
      const cell = cellOf(shape, seed, 'full');
      const kept = forward64(shape, cell);
      const dy = weightsFor(seed + 1, kept.y.length);
      const dlast = weightsFor(seed + 2, kept.last.length);
      const whole = backward64(shape, cell.recurrent, kept, { dy, dlast, recurrentClip });

      const plane = cell.state.length / 4;
      const one = { ...shape, S: 1 };
      const width = 4 * NH * DH;
      const stepOf = (data: Float64Array, rows: number, s: number) => {
        const size = data.length / (rows * S);
        return Float64Array.from({ length: rows * size }, (_, at) => {
          const row = Math.floor(at / size);
          return data[(row * S + s) * size + (at % size)]!;
        });
      };
      const states = [cell.state];
      const steps = Array.from({ length: S }, (_, s) => {
        const step = forward64(one, { ...cell, x: stepOf(cell.x, B, s), state: states[s]! });
        states.push(step.last);
        return step;
      });
      let carried = dlast;
      const weights = new Float64Array(cell.recurrent.length);
      for (let s = S - 1; s >= 0; s--) {
        const gradient = backward64(one, cell.recurrent, steps[s]!, { dy: stepOf(dy, B * NH, s), dlast: carried });
        carried = gradient.state.map((value, at) =>
          at < plane ? Math.max(-recurrentClip, Math.min(recurrentClip, value)) : value,
        );
        for (const [at, value] of gradient.recurrent.entries()) weights[at]! += value;
        for (let b = 0; b < B; b++) {
          const row = whole.x.subarray((b * S + s) * width, (b * S + s + 1) * width);
          expectClose(row, gradient.x.subarray(b * width, (b + 1) * width), `dx of step ${s}`, 1e-9);
        }
      }
      expectClose(whole.state, carried, 'state', 1e-9);
      expectClose(whole.recurrent, weights, 'recurrent', 1e-9);
    });
    fc.assert(property, RUNS);
  });
});
