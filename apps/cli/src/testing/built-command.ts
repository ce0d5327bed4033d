import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const repository = fileURLToPath(new URL('../../../../', import.meta.url));
const entry = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Brings `dist/` up to date; where it is already, this only looks. */
export async function buildCommand(): Promise<void> {
  const turbo = fileURLToPath(new URL('node_modules/turbo/bin/turbo', new URL('../../../../', import.meta.url)));
  await promisify(execFile)(
    process.execPath,
    [turbo, 'run', 'build', '--filter=@xlstm/cli', '--output-logs=errors-only'],
    { cwd: repository, env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' } },
  );
}

/** How a process is set up. */
export interface BuiltCommandOptions {
  /** What comes through the pipe; nothing if left out. */
  stdin?: string;
  /** A file descriptor to write to instead of the pipe. */
  stdout?: number;
  /** Variables beside those of this process. */
  env?: Record<string, string>;
}

/** A command that runs as users run it, in a process of its own. */
export class BuiltCommand {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #closed: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(args: readonly string[], options: BuiltCommandOptions = {}) {
    this.child = spawn(process.execPath, [entry, ...args], {
      cwd: repository,
      env: { ...process.env, ...options.env },
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', options.stdout ?? 'pipe', 'pipe'],
    });
    this.child.stdin?.end(options.stdin);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#closed = once(this.child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  /** Waits for text on stdout. */
  async firstText(): Promise<void> {
    if (this.stdout === '') await once(this.child.stdout!, 'data');
  }

  /** Waits for the end. */
  async end(): Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }> {
    return { ...(await this.#closed), stdout: this.stdout, stderr: this.stderr };
  }
}
