// Counts and lines for the end of a run.

/** @typedef {import('./suite.mjs').Result} Result */
/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Every step is one, but for a step of tests, which is as many as it holds.
 * @param {Result[]} results
 * @returns {Counts}
 */
export function tally(results) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { state, tests } of results) {
    if (tests) {
      counts.passed += tests.passed;
      counts.failed += tests.failed;
      counts.skipped += tests.skipped;
    } else counts[state] += 1;
  }
  return counts;
}

/**
 * @param {Counts} counts
 * @returns {string}
 */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * @param {{ name: string, seconds: number, result: Result }} step
 * @returns {string}
 */
export function stepLine({ name, seconds, result }) {
  const inside = result.tests ? `  (${closingLine(result.tests)})` : '';
  return `${result.state.padEnd(8)} ${name.padEnd(16)} ${seconds.toFixed(1).padStart(6)} s${inside}`;
}
