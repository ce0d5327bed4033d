import { createInterface, type Interface } from 'node:readline/promises';
import { InputOutputError } from '../failures.ts';
import type { Terminal } from '../terminal.ts';

/** Lines from a person's terminal, with editing and history, or from a pipe. */
export class LineInput {
  /** Whether a person types and sees what we say. */
  readonly interactive: boolean;
  readonly #terminal: Terminal;
  readonly #lines: string[] = [];
  readonly #readline: Interface;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(terminal: Terminal, onInterrupt: () => void) {
    const { stdin, stderr, interrupt } = terminal;
    this.#terminal = terminal;
    this.interactive = stdin.isTTY === true && stderr.isTTY === true;
    this.#readline = createInterface({
      input: stdin,
      ...(this.interactive && { output: stderr }),
      terminal: this.interactive,
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    this.#readline.on('line', (line) => {
      this.#lines.push(line);
      // What comes faster than it is answered waits outside.
      this.#readline.pause();
      this.#wake?.();
    });
    this.#readline.on('close', () => {
      this.#ended = true;
      this.#wake?.();
    });
    // In raw mode, Ctrl-C is a key and no signal.
    this.#readline.on('SIGINT', onInterrupt);
    stdin.once('error', (cause) => {
      interrupt.abort(new InputOutputError(`stdin: cannot read: ${cause.message}`, { cause }));
    });
    interrupt.signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    this.#readline.pause();
  }

  /** The next line; nothing after the last. @throws what the command is ended with. */
  async next(prompt: string): Promise<string | undefined> {
    const { signal } = this.#terminal.interrupt;
    if (this.#lines.length === 0 && !this.#ended && !signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#raw(true);
      if (this.interactive) {
        this.#readline.setPrompt(prompt);
        this.#readline.prompt();
      } else {
        this.#readline.resume();
      }
      await woken;
      this.#wake = undefined;
      // While an answer runs, Ctrl-C is a signal again and what is typed stays with the terminal.
      this.#raw(false);
    }
    signal.throwIfAborted();
    return this.#lines.shift();
  }

  #raw(raw: boolean): void {
    if (this.interactive) this.#terminal.stdin.setRawMode?.(raw);
  }

  /** Throws away what is typed and asks again, under a line about it. */
  askAgain(note: string): void {
    if (this.#ended) return;
    this.#readline.write(null, { ctrl: true, name: 'e' });
    this.#readline.write(null, { ctrl: true, name: 'u' });
    this.#terminal.stderr.write(`\n${note}\n`);
    this.#readline.prompt();
  }

  /** Ends the input as Ctrl-D does. */
  close(): void {
    this.#readline.close();
  }
}
