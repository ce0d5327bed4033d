// Runs other programs, in full view or quietly, and passes signals on.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Setup cannot go on; the message is for the user and needs no stack. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.name = 'SetupError';
    this.exitCode = exitCode;
  }
}

/**
 * @typedef {object} RunOptions
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} [env]
 * @property {boolean} [quiet] collect the output instead of showing it
 */

/**
 * Runs a program to its end. A signal sent to this process goes to the program, and ends the whole task after it.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} options
 * @returns {Promise<{ code: number, output: string }>} code 127 and the reason as output if it could not start
 */
export async function run(command, args, { cwd, env = process.env, quiet = false }) {
  // On Windows npm and pnpm are .cmd files, which only a shell starts; their arguments here hold no spaces.
  const shell = process.platform === 'win32' && (command === 'npm' || command === 'pnpm');
  const child = spawn(command, args, { cwd, env, shell, stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  /** @type {NodeJS.Signals | undefined} */
  let received;
  const forward = (/** @type {NodeJS.Signals} */ signal) => {
    // A terminal sends Ctrl-C to the whole group, so the program has it already.
    const fromTerminal = signal === 'SIGINT' && [process.stdin, process.stdout, process.stderr].some((s) => s.isTTY);
    if (received === undefined && !fromTerminal) child.kill(signal);
    received = signal;
  };
  process.on('SIGINT', forward).on('SIGTERM', forward);
  try {
    const code = await new Promise((resolve) => {
      child.once('error', (error) => {
        output += `${command}: ${error.message}\n`;
        resolve(127);
      });
      child.once('close', (status, signal) => resolve(status ?? (signal ? 128 + constants.signals[signal] : 1)));
    });
    if (received) throw new SetupError(`Stopped by ${received}.`, 128 + constants.signals[received]);
    return { code, output };
  } finally {
    process.off('SIGINT', forward).off('SIGTERM', forward);
  }
}

/**
 * Runs one of the tools installed in the repository, with this Node, whatever PATH holds.
 * @param {string} root
 * @param {string} script path inside node_modules
 * @param {string[]} args
 * @param {Partial<RunOptions>} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export function runTool(root, script, args, options = {}) {
  return run(process.execPath, [`${root}/node_modules/${script}`, ...args], { cwd: root, ...options });
}

/**
 * One line on stderr: stdout belongs to the task.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`${line}\n`);
}
