import { Arena, type Device, OptionError, ShapeError } from '@xlstm/device';
import { Scope, type Tensor } from '@xlstm/tensor';
import type { XLSTMLarge } from './model.ts';
import type { XlstmState } from './state.ts';

/** Tokens per piece: the GPU likes long pieces; the CPU must let signals through every fraction of a second. */
export function pieceLength(device: Device): number {
  return device.kind === 'cpu' ? 64 : 512;
}

/** Options of `prefill` and `forwardLogits`. */
export interface PrefillOptions {
  signal?: AbortSignal | undefined;
  /** Called after each piece with the tokens read so far and in all. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Rows of token ids, all of one length and inside the vocabulary. */
export function checkIds(operation: string, rows: readonly ArrayLike<number>[], vocabSize: number): number {
  const length = rows[0]?.length ?? 0;
  rows.forEach((row, index) => {
    if (row.length !== length) {
      throw new ShapeError(
        `${operation}: all rows must be of one length, got ${length} and ${row.length} (row ${index})`,
      );
    }
    for (let at = 0; at < length; at++) {
      const id = row[at]!;
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
        throw new OptionError(
          `${operation}: token ids must be integers in 0…${vocabSize - 1}, got ${id} at ${at}; the tokenizer may be of another model`,
        );
      }
    }
  });
  return length;
}

/** One piece of the rows as a device tensor `[B, S]`. */
export function uploadPiece(scope: Scope, rows: readonly ArrayLike<number>[], start: number, length: number): Tensor {
  const ids = new Int32Array(rows.length * length);
  rows.forEach((row, b) => {
    for (let at = 0; at < length; at++) ids[b * length + at] = row[start + at]!;
  });
  const tokens = scope.tensor([rows.length, length], 'i32', 'tokens');
  scope.device.upload(tokens.buffer, ids);
  return tokens;
}

/** Copies each sequence's last hidden state out of `[B, S, D]`. */
function lastHidden(scope: Scope, hidden: Tensor): Tensor {
  const [B, S, D] = hidden.shape as [number, number, number];
  if (S === 1) return hidden.reshape([B, D]);
  const last = scope.tensor([B, D], 'fp32', 'last hidden');
  for (let b = 0; b < B; b++) scope.device.copy(hidden.buffer, last.buffer, (b * S + S - 1) * D, b * D, D);
  return last;
}

/** Computes the logits of the last position into the state. */
function keepLastLogits(model: XLSTMLarge, scope: Scope, hidden: Tensor, state: XlstmState): void {
  const logits = model.logits(scope, lastHidden(scope, hidden));
  model.device.copy(logits.buffer, state.logits, 0, 0, state.logits.length);
}

/** Queues the reading of one piece `[B, S]` into the state, with the logits of its last position. */
export function queuePiece(model: XLSTMLarge, scope: Scope, tokens: Tensor, state: XlstmState): void {
  keepLastLogits(model, scope, model.forward(scope, tokens, state), state);
}

/**
 * Reads a prompt into `state`: `rows` are token ids, one row a sequence of the batch. Works in pieces; an abort between
 * pieces leaves the state at the end of the last piece, with the logits that belong there; so does the position when the
 * device is lost.
 *
 * @throws OptionError for ids outside the vocabulary, before anything is computed; `signal.reason` on abort.
 */
export async function prefill(
  model: XLSTMLarge,
  rows: readonly ArrayLike<number>[],
  state: XlstmState,
  options: PrefillOptions = {},
): Promise<void> {
  const { device } = model;
  const total = checkIds('prefill', rows, model.config.vocabSize);
  if (rows.length !== state.batch) {
    throw new ShapeError(`prefill: ${rows.length} rows for a state of batch ${state.batch}; pass one row a sequence`);
  }
  const arena = new Arena(device, 'prefill');
  try {
    const piece = pieceLength(device);
    for (let start = 0; start < total; start += piece) {
      options.signal?.throwIfAborted();
      const scope = new Scope(arena);
      const { position } = state;
      try {
        queuePiece(model, scope, uploadPiece(scope, rows, start, Math.min(piece, total - start)), state);
        scope.dispose();
        await device.sync();
      } catch (error) {
        // The position is that of what has been read, not of what was queued.
        state.position = position;
        throw error;
      }
      options.onProgress?.(Math.min(start + piece, total), total);
    }
  } finally {
    arena.dispose();
  }
}

/**
 * Reads `rows` into `state` and yields the logits of every position, piece by piece: `[B, S_piece, V]` on the host,
 * with the position of the piece's first token.
 */
export async function* forwardLogits(
  model: XLSTMLarge,
  rows: readonly ArrayLike<number>[],
  state: XlstmState,
  options: PrefillOptions = {},
): AsyncGenerator<{ start: number; length: number; logits: Float32Array }> {
  const { device } = model;
  const total = checkIds('forwardLogits', rows, model.config.vocabSize);
  const arena = new Arena(device, 'prefill');
  try {
    const piece = Math.min(pieceLength(device), 256);
    for (let start = 0; start < total; start += piece) {
      options.signal?.throwIfAborted();
      const length = Math.min(piece, total - start);
      const scope = new Scope(arena);
      const hidden = model.forward(scope, uploadPiece(scope, rows, start, length), state);
      const all = model.logits(scope, hidden);
      keepLastLogits(model, scope, hidden, state);
      const logits = (await device.read(all.buffer)) as Float32Array;
      scope.dispose();
      options.onProgress?.(start + length, total);
      yield { start, length, logits };
    }
  } finally {
    arena.dispose();
  }
}

/**
 * Mean cross-entropy, in nats per token, of predicting `ids[t + 1]` from `ids[0…t]`, from the past in `state` (an empty
 * one by default). The logarithm and the mean are float64.
 */
export async function evaluateLoss(
  model: XLSTMLarge,
  ids: ArrayLike<number>,
  options: PrefillOptions & { state?: XlstmState } = {},
): Promise<number> {
  if (ids.length < 2) throw new ShapeError(`evaluateLoss: needs at least 2 ids, got ${ids.length}`);
  checkIds('evaluateLoss', [ids], model.config.vocabSize);
  const state = options.state ?? model.createState();
  const inputs = Array.from(ids).slice(0, -1);
  const { vocabSize } = model.config;
  let nats = 0;
  try {
    for await (const { start, length, logits } of forwardLogits(model, [inputs], state, options)) {
      for (let at = 0; at < length; at++) {
        const row = logits.subarray(at * vocabSize, (at + 1) * vocabSize);
        let most = Number.NEGATIVE_INFINITY;
        for (let v = 0; v < vocabSize; v++) most = Math.max(most, row[v]!);
        let sum = 0;
        for (let v = 0; v < vocabSize; v++) sum += Math.exp(row[v]! - most);
        nats += Math.log(sum) + most - row[ids[start + at + 1]!]!;
      }
    }
  } finally {
    if (!options.state) state.dispose();
  }
  return nats / (ids.length - 1);
}
