import { OptionError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { createSchedule, SCHEDULES, type ScheduleName } from './schedules.ts';

describe('createSchedule', () => {
  it('rises evenly to the peak, whatever follows', () => {
    for (const name of SCHEDULES) {
      const lr = createSchedule(name, { peak: 1e-3, steps: 100, warmupSteps: 10 });
      expect([0, 4, 9].map(lr)).toEqual([1e-3 / 10, 5e-3 / 10, 1e-3]);
      expect(lr(10)).toBeCloseTo(1e-3, 12);
    }
  });

  it.each<[ScheduleName, number, number]>([
    ['constant', 2, 2],
    ['linear', 1.1, 0.2],
    ['cosine', 1.1, 0.2],
    ['warmup-stable-decay', 2, 0.2],
    ['exponential', 2 * 0.1 ** (45 / 80), 0.2],
  ])('%s is where it should be in the middle and at the end', (name, middle, end) => {
    const lr = createSchedule(name, { peak: 2, steps: 100, warmupSteps: 10, final: 0.2 });
    expect(lr(55)).toBeCloseTo(middle, 10);
    expect(lr(100)).toBeCloseTo(end, 10);
    expect(lr(1000)).toBeCloseTo(end, 10);
  });

  it('cools down from where the exponential ended', () => {
    const lr = createSchedule('exponential', { peak: 1, steps: 100, cooldownSteps: 20 });
    expect(lr(80)).toBeCloseTo(0.1, 10);
    expect(lr(90)).toBeCloseTo(0.05, 10);
    expect(lr(100)).toBe(0);
  });

  it('refuses names, rates and lengths that make no schedule', () => {
    const make = (options: object, name = 'cosine') =>
      createSchedule(name as ScheduleName, { peak: 1, steps: 10, ...options });
    expect(() => make({}, 'cosin')).toThrow(/none is called "cosin"; pick one of constant, cosine/);
    for (const bad of [{ peak: Number.NaN }, { peak: -1 }, { final: 2 }, { warmupSteps: 11 }, { steps: 1.5 }]) {
      expect(() => make(bad)).toThrow(OptionError);
    }
    expect(() => make({ warmupSteps: 5, cooldownSteps: 6 }, 'warmup-stable-decay')).toThrow(/5 and 6 of 10/);
  });
});
