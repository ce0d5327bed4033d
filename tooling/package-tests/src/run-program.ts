import { execFile } from 'node:child_process';

/** How a program is run. */
export interface ProgramOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
}

/** What a program said before it ended well. */
export interface ProgramOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. @throws Error with all that it said when it ends with another code than 0. */
export function runProgram(command: string, args: readonly string[], options: ProgramOptions): Promise<ProgramOutput> {
  const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  // What vitest sets would make the child take this repository's sources or its test environment.
  for (const name of ['NODE_OPTIONS', 'NODE_ENV', 'VITEST']) delete env[name];
  const shell = process.platform === 'win32' && (command === 'npm' || command === 'pnpm');
  return new Promise((resolve, reject) => {
    execFile(
      command,
      [...args],
      { cwd: options.cwd, env, shell, timeout: options.timeoutMs ?? 240_000, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${command} ${args.join(' ')}: ${error.message}\n${stdout}\n${stderr}`));
        else resolve({ stdout, stderr });
      },
    );
  });
}
