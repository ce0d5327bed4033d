import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { InputOutputError, ReaderLeft } from './failures.ts';

/** A stream that may be a person's terminal. */
export type MaybeTty<T> = T & {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  setRawMode?: ((raw: boolean) => unknown) | undefined;
};

/** All that a command knows of the world around it. */
export interface Terminal {
  stdin: MaybeTty<Readable>;
  stdout: MaybeTty<Writable>;
  stderr: MaybeTty<Writable>;
  env: Readonly<Record<string, string | undefined>>;
  /** Aborted with the reason when the command is to end early. */
  interrupt: AbortController;
  /** What Ctrl-C does instead of ending the command; set by whoever wants to go on after it. */
  onInterrupt?: (() => void) | undefined;
}

/** Standard output: keeps pace with its reader, and ends the command when that one goes away. */
export class Output {
  readonly #stream: Writable;
  readonly #interrupt: AbortController;
  #midLine = false;

  constructor(terminal: Terminal) {
    this.#stream = terminal.stdout;
    this.#interrupt = terminal.interrupt;
    this.#stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#interrupt.abort(
        error.code === 'EPIPE'
          ? new ReaderLeft()
          : new InputOutputError(`stdout: cannot write: ${error.message}; check where the output goes`, {
              cause: error,
            }),
      );
    });
  }

  /** Whether the last line has begun and not ended. */
  get midLine(): boolean {
    return this.#midLine;
  }

  /** Writes, and waits while the reader is slower than we are. */
  async write(text: string): Promise<void> {
    this.#interrupt.signal.throwIfAborted();
    if (text === '') return;
    this.#midLine = !text.endsWith('\n');
    if (!this.#stream.write(text)) await once(this.#stream, 'drain', { signal: this.#interrupt.signal });
  }

  /** Ends a line that has begun. */
  async endLine(): Promise<void> {
    if (this.#midLine) await this.write('\n');
  }

  /** Ends a line that has begun although the command is being ended. */
  breakOff(): void {
    if (this.#midLine) this.#stream.write('\n');
    this.#midLine = false;
  }

  /** Waits until everything is written; a failure has then aborted the command. */
  async flush(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#stream.write('', () => resolve());
    });
    // The callback comes before the 'error' event of the same failure.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What commands work with. */
export interface Context {
  terminal: Terminal;
  output: Output;
  signal: AbortSignal;
  /** Writes a line about the work, not its result. */
  say(line: string): void;
  /** Set by a command that did its work and found something wrong. */
  exitCode: number;
}

/** The context of one run. Diagnostics that nobody reads any more are dropped. */
export function createContext(terminal: Terminal): Context {
  terminal.stderr.on('error', () => {});
  return {
    terminal,
    output: new Output(terminal),
    signal: terminal.interrupt.signal,
    say: (line) => {
      terminal.stderr.write(`${line}\n`);
    },
    exitCode: 0,
  };
}
