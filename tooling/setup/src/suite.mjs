// npm test and npm run check: every step runs, whatever came of the ones before it, and the last line counts them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTool, SetupError, say } from './commands.mjs';
import { compileCudaKernels } from './cuda-kernels.mjs';
import { prepare, turboBuild } from './prepare.mjs';
import { closingLine, stepLine, tally } from './summary.mjs';
import { ensureSystemPackages } from './system-packages.mjs';
import { softwareVulkan } from './vulkan.mjs';

/**
 * @typedef {object} Result
 * @property {'passed' | 'failed' | 'skipped'} state
 * @property {string} [note] why, or what to do
 * @property {{ passed: number, failed: number, skipped: number }} [tests] the tests inside, if it holds several
 */

/** @typedef {[name: string, step: (root: string) => Promise<Result>]} Step */

/** @type {Step[]} */
const staticSteps = [
  ['type check', checkTypes],
  ['lint and format', (root) => tool(root, '@biomejs/biome/bin/biome', ['check', '.'])],
  ['layers', checkLayers],
];

/**
 * Everything; with arguments, only the tests that vitest finds by them.
 * @param {string} root
 * @param {string[]} args passed to vitest
 * @returns {Promise<number>} the exit code
 */
export async function test(root, args) {
  /** @type {Step[]} */
  // Some tests run the built command, so even a filtered run builds.
  const steps =
    args.length === 0 ? [...staticSteps, ['build', build], ['CUDA kernels', compileCudaKernels]] : [['build', build]];
  const lacking = await softwareWebgpu(root);
  if (lacking) steps.unshift(['software WebGPU', async () => lacking]);
  return await runSteps(root, [...steps, ['tests', (directory) => vitest(directory, args)]]);
}

/**
 * What needs no device and takes seconds: types, lint and format, layers.
 * @param {string} root
 * @returns {Promise<number>} the exit code
 */
export async function check(root) {
  return await runSteps(root, staticSteps);
}

/**
 * @param {string} root
 * @param {Step[]} steps
 */
async function runSteps(root, steps) {
  try {
    await prepare(root);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    console.log(closingLine({ passed: 0, failed: 1, skipped: 0 }));
    return error.exitCode;
  }
  /** @type {{ name: string, seconds: number, result: Result }[]} */
  const done = [];
  for (const [name, step] of steps) {
    console.log(`\n== ${name}`);
    const start = performance.now();
    const result = await attempt(() => step(root));
    if (result.note) console.log(result.note);
    done.push({ name, seconds: (performance.now() - start) / 1000, result });
  }
  const counts = tally(done.map(({ result }) => result));
  console.log(['', ...done.map(stepLine), '', closingLine(counts)].join('\n'));
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

/**
 * @param {() => Promise<Result>} step
 * @returns {Promise<Result>}
 */
async function attempt(step) {
  try {
    return await step();
  } catch (error) {
    // Above 128 it is a signal: the user wants everything to stop.
    if (error instanceof SetupError && error.exitCode <= 128) return { state: 'failed', note: error.message };
    throw error;
  }
}

/**
 * @param {string} root
 * @param {string} script
 * @param {string[]} args
 * @returns {Promise<Result>}
 */
async function tool(root, script, args) {
  const { code } = await runTool(root, script, args);
  return code === 0 ? { state: 'passed' } : { state: 'failed', note: `exit code ${code}` };
}

/** @returns {Promise<Result>} */
async function checkTypes(/** @type {string} */ root) {
  const repository = await tool(root, 'typescript/bin/tsc', ['-p', '.']);
  // These scripts are JavaScript with types in comments, which has a project of its own.
  const setup = await tool(root, 'typescript/bin/tsc', ['-p', 'tooling/setup']);
  return repository.state === 'failed' ? repository : setup;
}

/** @returns {Promise<Result>} */
async function checkLayers(/** @type {string} */ root) {
  await prepare(root, { build: '@xlstm-tooling/layer-check' });
  return await tool(root, '../tooling/layer-check/dist/main.js', []);
}

/** @returns {Promise<Result>} */
async function build(/** @type {string} */ root) {
  const { code, output } = await turboBuild(root, true, true);
  if (code === 0) return { state: 'passed' };
  return { state: 'failed', note: `${output}\nturbo run build: exit code ${code}` };
}

/**
 * @param {string} root
 * @returns {Promise<Result | undefined>} undefined if nothing is missing
 */
async function softwareWebgpu(root) {
  const missing = await ensureSystemPackages(root);
  if (missing === undefined) return undefined;
  const required = (process.env.XLSTM_REQUIRE_DEVICES ?? '').split(',').some((name) => name.trim() === 'webgpu');
  if (!required) return { state: 'skipped', note: missing };
  return { state: 'failed', note: `${missing} (XLSTM_REQUIRE_DEVICES asks for webgpu)` };
}

/**
 * @param {string} root
 * @param {string[]} args
 * @returns {Promise<Result>}
 */
async function vitest(root, args) {
  const folder = mkdtempSync(join(tmpdir(), 'xlstm-test-'));
  const report = join(folder, 'report.json');
  const env = { ...process.env, ...softwareVulkan(), XLSTM_TEST_REPORT: report };
  const reporter = fileURLToPath(new URL('./vitest-report.mjs', import.meta.url));
  try {
    const { code } = await runTool(
      root,
      'vitest/vitest.mjs',
      ['run', '--reporter=default', `--reporter=${reporter}`, ...args],
      { env },
    );
    return readReport(report, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} path
 * @param {number} code vitest's exit code
 * @returns {Result}
 */
function readReport(path, code) {
  /** @type {import('./vitest-report.mjs').Report} */
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { state: 'failed', note: `vitest ended without a report (exit code ${code})` };
  }
  const { passed, failed, skipped } = report;
  const tests = { passed, failed, skipped: skipped.length };
  const reasons = skipped.map(({ test: name, reason }) => `skipped: ${name}${reason && `: ${reason}`}`).join('\n');
  if (passed + failed === 0) {
    return { state: 'failed', note: `${reasons}\nno test ran`.trim(), tests: { ...tests, failed: 1 } };
  }
  if (failed > 0) return { state: 'failed', note: reasons, tests };
  // An error outside of any test, or a coverage threshold: vitest says what, above.
  if (code !== 0)
    return { state: 'failed', note: `${reasons}\nvitest: exit code ${code}`, tests: { ...tests, failed: 1 } };
  return { state: 'passed', note: reasons, tests };
}
