import { Arena, OptionError, ShapeError } from '@xlstm/device';
import { Scope } from '@xlstm/tensor';
import type { XLSTMLarge } from './model.ts';
import { checkIds, type PrefillOptions, pieceLength, uploadPiece } from './prefill.ts';
import type { XlstmState } from './state.ts';

/** Options of `evaluateWindows`. */
export interface WindowOptions extends PrefillOptions {
  /** Ids that a window reads; left out, the past is carried from the first id to the last. */
  context?: number | undefined;
  /** How far windows move on; a window counts only so many predictions, its last. `context` by default. */
  stride?: number | undefined;
}

/** Ids from `begin` to `end` are read, of those from `counted` on the predictions count. */
interface Window {
  begin: number;
  counted: number;
  end: number;
}

const IGNORED = -1;

function* windowsOf(total: number, context: number, stride: number): Generator<Window> {
  let counted = 0;
  while (counted < total) {
    const end = Math.min(total, counted === 0 ? context : counted + stride);
    yield { begin: Math.max(0, end - context), counted, end };
    counted = end;
  }
}

function checkWindows({ context, stride }: WindowOptions): void {
  for (const [name, value] of Object.entries({ context, stride })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      throw new OptionError(`evaluate: ${name} must be a positive integer, got ${value}`);
    }
  }
  if (stride !== undefined && context === undefined) {
    throw new OptionError(
      `evaluate: stride says how far windows move on, and there are none without context, got stride ${stride}; give context too`,
    );
  }
  if (stride !== undefined && context !== undefined && stride > context) {
    throw new OptionError(
      `evaluate: stride must be at most context, else tokens between windows would be left out; got stride ${stride}, context ${context}`,
    );
  }
}

/**
 * Cross-entropy of predicting each id but the first. The past is carried through all of them; or, with `context`, each
 * window begins with an empty one, and what an earlier window counted is read again without counting. The logits stay on
 * the device; sums over pieces are float64.
 *
 * @param ids at least two
 * @returns nats in all, and how many predictions they are of: one less than ids
 * @throws ShapeError for fewer than two ids, OptionError for ids outside the vocabulary, or windows that leave tokens out,
 *   before anything is computed; `signal.reason` on abort.
 * @example
 * ```ts
 * const { nats, predictions } = await evaluateWindows(model, ids, { context: 1024, stride: 256 })
 * ```
 */
export async function evaluateWindows(
  model: XLSTMLarge,
  ids: ArrayLike<number>,
  options: WindowOptions = {},
): Promise<{ nats: number; predictions: number }> {
  checkWindows(options);
  const predictions = ids.length - 1;
  if (predictions < 1) throw new ShapeError(`evaluate: needs at least 2 ids, got ${ids.length}`);
  checkIds('evaluate', [ids], model.config.vocabSize);
  const { context = predictions, stride = context, signal, onProgress } = options;
  const windows = [...windowsOf(predictions, context, stride)];
  const reads = windows.reduce((sum, { begin, end }) => sum + end - begin, 0);
  const state = model.createState();
  const arena = new Arena(model.device, 'evaluation');
  const length = pieceLength(model.device);
  let nats = 0;
  let done = 0;
  try {
    for (const { begin, counted, end } of windows) {
      state.reset();
      for (let start = begin; start < end; start += length) {
        signal?.throwIfAborted();
        const piece = { begin: start, counted: Math.max(start, counted), end: Math.min(start + length, end) };
        nats += await pieceNats(model, arena, ids, piece, state);
        done += piece.end - start;
        onProgress?.(done, reads);
      }
    }
  } finally {
    arena.dispose();
    state.dispose();
  }
  return { nats, predictions };
}

async function pieceNats(
  model: XLSTMLarge,
  arena: Arena,
  ids: ArrayLike<number>,
  { begin, counted, end }: Window,
  state: XlstmState,
): Promise<number> {
  const { device } = model;
  const scope = new Scope(arena);
  try {
    const tokens = uploadPiece(scope, [ids], begin, end - begin);
    if (counted >= end) {
      model.forward(scope, tokens, state);
      await device.sync();
      return 0;
    }
    const targets = scope.tensor(tokens.shape, 'i32', 'targets');
    device.upload(
      targets.buffer,
      Int32Array.from({ length: end - begin }, (_, at) => (begin + at < counted ? IGNORED : ids[begin + at + 1]!)),
    );
    const loss = model.loss(scope, tokens, targets, { state, ignoreIndex: IGNORED });
    const mean = (await device.read(loss.buffer))[0]!;
    return mean * (end - counted);
  } finally {
    scope.dispose();
  }
}
