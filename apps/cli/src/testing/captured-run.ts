import { Readable, Writable } from 'node:stream';
import { run } from '../run.ts';
import type { MaybeTty } from '../terminal.ts';

/** What a run left behind. */
export interface CapturedRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** How the world around a run looks. */
export interface CaptureOptions {
  /** What comes through the pipe; a terminal where nobody types if left out. */
  stdin?: string | Uint8Array | MaybeTty<Readable>;
  /** Whether stderr is a terminal. */
  stderrIsTty?: boolean;
  env?: Record<string, string>;
  interrupt?: AbortController;
  /** Called with all of stdout so far after each piece. */
  onStdout?: (soFar: string) => void;
  /** The same of stderr. */
  onStderr?: (soFar: string) => void;
}

function collector(pieces: string[], onPiece?: () => void): MaybeTty<Writable> {
  return new Writable({
    decodeStrings: false,
    write(piece: string, _encoding, done) {
      pieces.push(piece);
      onPiece?.();
      done();
    },
  });
}

function readable(text: string | Uint8Array | undefined): MaybeTty<Readable> {
  const stdin: MaybeTty<Readable> = Readable.from(text === undefined ? [] : [Buffer.from(text)]);
  if (text === undefined) stdin.isTTY = true;
  return stdin;
}

/** Runs the command in this process, from its sources, with streams of our own. */
export async function captureRun(argv: readonly string[], options: CaptureOptions = {}): Promise<CapturedRun> {
  const out: string[] = [];
  const err: string[] = [];
  const stdin = options.stdin instanceof Readable ? options.stdin : readable(options.stdin);
  const stderr = collector(err, () => options.onStderr?.(err.join('')));
  if (options.stderrIsTty) stderr.isTTY = true;
  const code = await run(argv, {
    stdin,
    stdout: collector(out, () => options.onStdout?.(out.join(''))),
    stderr,
    env: options.env ?? {},
    interrupt: options.interrupt ?? new AbortController(),
  });
  return { code, stdout: out.join(''), stderr: err.join('') };
}
