import { describe, expect, it } from 'vitest';
import { Interruption, parseRetryAfter, retrying, retryPolicy, sleep } from './retry.ts';

const policy = retryPolicy('test', { baseDelayMs: 1, maxDelayMs: 2, retries: 2 });

describe('parseRetryAfter', () => {
  const now = Date.UTC(2026, 0, 1);
  it.each([
    ['0', 0],
    ['120', 120_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('reads %j as %s ms', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});

describe('retrying', () => {
  it('counts tries in a row and begins again after headway', async () => {
    let tries = 0;
    const failing = retrying('work', policy, undefined, async (advanced) => {
      if (++tries === 2) advanced();
      throw new Interruption('cut');
    });
    await expect(failing).rejects.toThrow(/work: gave up after 3 tries .* cut/);
    expect(tries).toBe(4);
  });

  it('does not repeat other errors, and stops waiting on abort', async () => {
    let tries = 0;
    const failing = retrying('work', policy, undefined, async () => {
      tries++;
      throw new RangeError('mine');
    });
    await expect(failing).rejects.toThrow('mine');
    expect(tries).toBe(1);
    const reason = new Error('stop');
    const controller = new AbortController();
    const waiting = sleep(60_000, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});
