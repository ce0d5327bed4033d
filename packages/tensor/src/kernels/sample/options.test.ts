import { OptionError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { checkSamplingOptions, type SamplingOptions } from './options.ts';

describe('checkSamplingOptions', () => {
  it('fills in defaults that change nothing', () => {
    expect(checkSamplingOptions('generate', {})).toEqual({
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      seed: undefined,
    });
    expect(checkSamplingOptions('generate', { topP: undefined, seed: 5 })).toMatchObject({ topP: 1, seed: 5n });
  });

  it('takes the ends of every range', () => {
    const ends = { temperature: 0, topK: 0, topP: 1e-9, minP: 1, repetitionPenalty: 1e-3, seed: 2n ** 64n - 1n };
    expect(checkSamplingOptions('generate', ends)).toEqual(ends);
    expect(checkSamplingOptions('generate', { minP: 0, seed: Number.MAX_SAFE_INTEGER }).seed).toBe(2n ** 53n - 1n);
  });

  it.each([
    [{ temperature: -0.1 }, /^generate: temperature must be a finite number from 0 \(greedy\) up, got -0.1$/],
    [{ temperature: Number.NaN }, /temperature.*got NaN/],
    [{ temperature: Number.POSITIVE_INFINITY }, /temperature.*got Infinity/],
    [{ topK: -1 }, /topK must be an integer/],
    [{ topK: 1.5 }, /topK.*got 1.5/],
    [{ topP: 0 }, /topP must be above 0 and at most 1 \(off\), got 0/],
    [{ topP: 2 }, /topP.*got 2/],
    [{ topP: Number.NaN }, /topP.*got NaN/],
    [{ minP: -1 }, /minP/],
    [{ minP: 1.01 }, /minP/],
    [{ repetitionPenalty: 0 }, /repetitionPenalty/],
    [{ repetitionPenalty: Number.POSITIVE_INFINITY }, /repetitionPenalty/],
    [{ seed: -1 }, /seed/],
    [{ seed: 0.5 }, /seed/],
    [{ seed: 2 ** 53 }, /seed/],
    [{ seed: 2n ** 64n }, /seed.*got 18446744073709551616/],
    [{ temperature: '1' as unknown as number }, /temperature.*got "1"/],
    [{ topK: null as unknown as number }, /topK.*got null/],
  ] satisfies [SamplingOptions, RegExp][])('refuses %o', (options, message) => {
    expect(() => checkSamplingOptions('generate', options)).toThrow(OptionError);
    expect(() => checkSamplingOptions('generate', options)).toThrow(message);
  });

  it.each([
    ['top_p', 'topP'],
    ['topk', 'topK'],
    ['temprature', 'temperature'],
    ['repetition-penalty', 'repetitionPenalty'],
    ['min', 'minP'],
  ])('takes "%s" for a mistyped %s', (name, nearest) => {
    expect(() => checkSamplingOptions('generate', { [name]: 1 })).toThrow(
      `generate: unknown option "${name}", did you mean "${nearest}"?`,
    );
  });
});
