import { describe, expect, it } from 'vitest';
import { closingLine, stepLine, tally } from './summary.mjs';

describe('the closing line', () => {
  it('counts each step as one and each test inside a step', () => {
    const counts = tally([
      { state: 'passed' },
      { state: 'failed', note: 'why' },
      { state: 'skipped' },
      { state: 'passed', tests: { passed: 10, failed: 0, skipped: 2 } },
    ]);
    expect(counts).toEqual({ passed: 11, failed: 1, skipped: 3 });
    expect(closingLine(counts)).toBe('11 passed, 1 failed, 3 skipped');
  });

  it('leaves out what was not skipped', () => {
    expect(closingLine({ passed: 1, failed: 0, skipped: 0 })).toBe('1 passed, 0 failed');
  });
});

describe('stepLine', () => {
  it('shows the tests inside', () => {
    const result = /** @type {const} */ ({ state: 'passed', tests: { passed: 3, failed: 0, skipped: 0 } });
    expect(stepLine({ name: 'tests', seconds: 1.25, result })).toMatch(
      /^passed {3}tests +1\.\d s {2}\(3 passed, 0 failed\)$/,
    );
  });
});
