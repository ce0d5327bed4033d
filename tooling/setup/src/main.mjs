// The tasks by name.
import { SetupError, say } from './commands.mjs';
import { prepare } from './prepare.mjs';
import { runProgram } from './program.mjs';
import { repositoryRoot } from './repository.mjs';
import { check, test } from './suite.mjs';

/**
 * Tasks that run a program: the package to build for it, if any, its entry, and the arguments before the user's.
 * @type {Map<string, { build?: string, entry: string, first?: string[] }>}
 */
const programs = new Map(
  Object.entries({
    start: { build: '@xlstm/cli', entry: 'apps/cli/dist/main.js', first: ['start'] },
    xlstm: { build: '@xlstm/cli', entry: 'apps/cli/dist/main.js' },
    train: { build: '@xlstm/trainer', entry: 'apps/trainer/dist/main.js' },
    conformance: { build: '@xlstm-tooling/conformance', entry: 'tooling/conformance/dist/main.js' },
    sizes: { build: '@xlstm-tooling/package-tests', entry: 'tooling/package-tests/dist/main.js' },
    bench: { build: '@xlstm-tooling/bench', entry: 'tooling/bench/dist/main.js' },
    docs: { entry: 'apps/docs/src/build-site.mjs' },
    'new-kernel': { build: '@xlstm-tooling/new-kernel', entry: 'tooling/new-kernel/dist/main.js' },
  }),
);

/** @type {Map<string, (root: string, args: string[]) => Promise<number>>} */
const suites = new Map(Object.entries({ test, check }));

/**
 * @param {string[]} argv the task's name and its arguments
 */
export async function main([task = '', ...args]) {
  try {
    const program = programs.get(task);
    const suite = suites.get(task);
    if (program) {
      await prepare(repositoryRoot, program.build === undefined ? {} : { build: program.build });
      await runProgram(repositoryRoot, program.entry, [...(program.first ?? []), ...args]);
    } else if (suite) {
      process.exitCode = await suite(repositoryRoot, args);
    } else {
      const names = [...programs.keys(), ...suites.keys()].join(', ');
      throw new SetupError(`setup: expected one of the tasks ${names}, got "${task}"`, 2);
    }
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = error.exitCode;
  }
}
