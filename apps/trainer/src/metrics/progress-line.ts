import type { StepMetrics } from './metrics-log.ts';
import { shortCount, shortDuration, shortScientific } from './short-numbers.ts';

const ERASE_LINE = '\r\u001b[2K';
/** Redrawn at most this often. */
const REDRAW_MS = 100;
/** Plain lines come at most this often. */
const PLAIN_MS = 10_000;
const WIDEST_BAR = 30;
const NARROWEST_BAR = 6;
/** A terminal that does not know its size is taken to be this wide. */
const USUAL_COLUMNS = 80;

/** Where progress is shown: `process.stderr`, or anything that text can be written to. */
export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

/** Options of `ProgressLine`. */
export interface ProgressLineOptions {
  maxSteps: number;
  /** Steps done before this process began. Default 0. */
  step?: number | undefined;
  /** Where there is no terminal: plain lines come at most every so many steps. Default 10. */
  every?: number | undefined;
  /** On abort the line is removed and nothing more is drawn. */
  signal?: AbortSignal | undefined;
  /** Milliseconds that pass; `performance.now` by default. */
  now?: (() => number) | undefined;
}

/**
 * How training goes, on one line that is redrawn:
 *
 *     step 120/1000 [====    ] loss 3.412 lr 9.8e-4 norm 0.83 511k tok/s eta 2m13s
 *
 * Where the stream is no terminal, plain lines every `every` steps or every 10 s, whichever is later, and one for the last
 * step.
 *
 * @example
 * ```ts
 * using progress = new ProgressLine(process.stderr, { maxSteps: 1000, signal })
 * progress.update(metrics)
 * progress.print('validation 3.671 nats per token')
 * ```
 */
export class ProgressLine implements Disposable {
  readonly #stream: ProgressStream;
  readonly #maxSteps: number;
  readonly #every: number;
  readonly #now: () => number;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.close();
  readonly #begun: { step: number; at: number };
  #first: { step: number; at: number } | undefined;
  #latest: { metrics: StepMetrics; eta: number | undefined } | undefined;
  #written: { step: number; at: number } | undefined;
  #shown = false;
  #closed = false;

  constructor(stream: ProgressStream, options: ProgressLineOptions) {
    this.#stream = stream;
    this.#maxSteps = options.maxSteps;
    this.#every = options.every ?? 10;
    this.#now = options.now ?? (() => performance.now());
    this.#begun = { step: options.step ?? 0, at: this.#now() };
    this.#signal = options.signal;
    if (this.#signal?.aborted) this.#closed = true;
    else this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Shows the step that was just done. */
  update(metrics: StepMetrics): void {
    if (this.#closed) return;
    const now = this.#now();
    this.#latest = { metrics, eta: this.#eta(metrics.step, now) };
    const last = metrics.step >= this.#maxSteps;
    const before = this.#written;
    if (before && !last) {
      const waited = now - before.at;
      if (this.#stream.isTTY ? waited < REDRAW_MS : waited < PLAIN_MS || metrics.step - before.step < this.#every)
        return;
    }
    this.#written = { step: metrics.step, at: now };
    if (this.#stream.isTTY) this.#draw();
    else this.#stream.write(`${this.#text(Number.POSITIVE_INFINITY)}\n`);
  }

  /** Writes other text, on lines of its own; the progress comes back under it. */
  print(text: string): void {
    const shown = this.#shown;
    this.clear();
    this.#stream.write(text.endsWith('\n') ? text : `${text}\n`);
    if (shown) this.#draw();
  }

  /** Removes the line, so that something else may write; the next update brings it back. */
  clear(): void {
    if (this.#shown) this.#stream.write(ERASE_LINE);
    this.#shown = false;
  }

  /** Removes the line for good. */
  close(): void {
    this.clear();
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Seconds to go. The first step also compiles, so it counts only while it is the only one. */
  #eta(step: number, now: number): number | undefined {
    const from = this.#first ?? this.#begun;
    this.#first ??= { step, at: now };
    const done = step - from.step;
    return done > 0 ? ((now - from.at) / 1000 / done) * Math.max(0, this.#maxSteps - step) : undefined;
  }

  #draw(): void {
    // The last column stays free: some terminals begin a new line when it is filled.
    this.#stream.write(`${ERASE_LINE}${this.#text((this.#stream.columns || USUAL_COLUMNS) - 1)}`);
    this.#shown = true;
  }

  /** The line in at most `width` columns: without the bar where that is too narrow, then without what matters least. */
  #text(width: number): string {
    const { metrics, eta } = this.#latest!;
    const total = String(this.#maxSteps);
    const step = `step ${String(metrics.step).padStart(width === Number.POSITIVE_INFINITY ? 0 : total.length)}/${total}`;
    const facts = [
      { text: `loss ${metrics.loss.toFixed(3)}`, rank: 0 },
      { text: `lr ${shortScientific(metrics.lr)}`, rank: 3 },
      { text: `norm ${shortScientific(metrics.gradientNorm)}`, rank: 4 },
      { text: `${shortCount(Math.round(metrics.tokensPerSecond))} tok/s`, rank: 2 },
      ...(eta === undefined ? [] : [{ text: `eta ${shortDuration(eta)}`, rank: 1 }]),
    ];
    for (let rank = 5; rank > 0; rank--) {
      const texts = facts.filter((fact) => fact.rank < rank).map(({ text }) => text);
      const line = [step, ...texts].join(' ');
      if (line.length > width) continue;
      const room = Math.min(WIDEST_BAR, width - line.length - 3);
      if (width === Number.POSITIVE_INFINITY || room < NARROWEST_BAR) return line;
      const filled = Math.floor(room * Math.min(1, metrics.step / this.#maxSteps));
      return [step, `[${'='.repeat(filled)}${' '.repeat(room - filled)}]`, ...texts].join(' ');
    }
    return step.slice(0, Math.max(0, width));
  }
}
