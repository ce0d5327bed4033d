// A vitest reporter for the closing line: counts, and for each skipped test its reason, which vitest's own JSON lacks.
import { writeFileSync } from 'node:fs';

/**
 * @typedef {object} Report
 * @property {number} passed
 * @property {number} failed tests, and files that could not be loaded
 * @property {{ test: string, reason: string }[]} skipped
 */

/** @implements {Pick<import('vitest/reporters').Reporter, 'onTestRunEnd'>} */
export default class CountingReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   */
  onTestRunEnd(modules) {
    const path = process.env.XLSTM_TEST_REPORT;
    if (!path) throw new Error('vitest-report: XLSTM_TEST_REPORT must name the file to write');
    /** @type {Report} */
    const report = { passed: 0, failed: 0, skipped: [] };
    for (const module of modules) {
      const failedBefore = report.failed;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') report.passed += 1;
        else if (result.state === 'failed') report.failed += 1;
        else
          report.skipped.push({
            test: `${module.relativeModuleId} > ${test.fullName}`,
            reason: 'note' in result && result.note ? result.note : '',
          });
      }
      // A file that does not load, or a hook that throws, has no failed test to show for it.
      if (!module.ok() && report.failed === failedBefore) report.failed += 1;
    }
    writeFileSync(path, JSON.stringify(report));
  }
}
