import { Arena } from '@xlstm/device';
import { type SamplingOptions, Scope, sampleRows } from '@xlstm/tensor';
import { queueAdvance, queueDraw } from './decoder.ts';
import type { RowSampling } from './inference/row-sampling.ts';
import { lastLogits, type XLSTMLarge } from './model.ts';
import { pieceLength, precisionOf, queuePiece } from './prefill.ts';
import type { XlstmState } from './state.ts';

/** What is to be made ready. */
export interface PrepareGenerationOptions {
  /** Tokens that will be read first. */
  promptLength: number;
  /** How tokens will be drawn; leave it out where none will be. */
  sampling?: SamplingOptions;
  signal?: AbortSignal | undefined;
}

/** What each model has been made ready for. */
const ready = new WeakMap<XLSTMLarge, Set<string>>();

/** Kernels choose their forms by magnitudes: lengths between two powers of two mostly want the same. */
const magnitude = (length: number): number => Math.ceil(Math.log2(Math.max(1, length)));

/**
 * Compiles the shaders of a generation that are missing, all at once and without blocking: those of the prompt's first and
 * last piece, of drawing a token and of reading it. Does nothing where the model was made ready for the same before. Nothing
 * is computed and the state stays as it is; what is not foreseen here is compiled when it is launched.
 *
 * @throws DeviceError that names a kernel which does not compile; `signal.reason` on abort; DeviceLostError
 */
export async function prepareGeneration(
  model: XLSTMLarge,
  state: XlstmState,
  { promptLength, sampling, signal }: PrepareGenerationOptions,
): Promise<void> {
  const { device } = model;
  if (device.kind === 'cpu') return;
  const piece = pieceLength(device);
  const lengths = [Math.min(piece, promptLength), promptLength % piece].filter((length) => length > 0);
  const { seed: _, ...drawing } = { ...sampling };
  const key = JSON.stringify([state.batch, lengths.map(magnitude), sampling ? drawing : 'none']);
  await compile(model, state, key, { signal }, (arena) => {
    for (const length of new Set(lengths)) {
      const scope = new Scope(arena, { precision: precisionOf(model) });
      queuePiece(model, scope, scope.tensor([state.batch, length], 'i32', 'tokens'), state);
      scope.dispose();
    }
    if (!sampling) return;
    const scope = new Scope(arena, { precision: precisionOf(model) });
    const token = scope.tensor([state.batch], 'i32', 'token');
    const counter = scope.tensor([state.batch], 'u32', 'random counter');
    const penalised = (sampling.repetitionPenalty ?? 1) !== 1;
    const seen = penalised ? scope.tensor([state.batch, model.config.vocabSize], 'u32', 'seen tokens') : undefined;
    queueDraw(scope, state, { token, counter, seen }, sampling);
    queueAdvance(model, scope, token, state);
  });
}

/**
 * As `prepareGeneration`, for a step of several sequences: drawing their tokens as `rows` says, and reading them.
 *
 * @throws what `prepareGeneration` throws
 */
export async function prepareRows(
  model: XLSTMLarge,
  state: XlstmState,
  rows: RowSampling,
  { signal }: Pick<PrepareGenerationOptions, 'signal'>,
): Promise<void> {
  const key = JSON.stringify([state.batch, 'rows', rows.tensors.seen !== undefined]);
  await compile(model, state, key, { signal }, (arena) => {
    const scope = new Scope(arena, { precision: precisionOf(model) });
    const token = scope.tensor([state.batch], 'i32', 'token');
    sampleRows(scope, { logits: lastLogits(state), token, ...rows.tensors });
    queueAdvance(model, scope, token, state);
  });
}

/** Compiles what `build` would launch, unless that was done before under this key. */
async function compile(
  model: XLSTMLarge,
  state: XlstmState,
  key: string,
  { signal }: Pick<PrepareGenerationOptions, 'signal'>,
  build: (arena: Arena) => void,
): Promise<void> {
  const { device } = model;
  const known = ready.get(model) ?? new Set();
  if (device.kind === 'cpu' || known.has(key)) return;
  const { position } = state;
  const arena = new Arena(device, 'prepare');
  let prepared: Promise<void>;
  try {
    prepared = device.prepare(() => build(arena), { signal });
  } finally {
    // Nothing was computed, so the state has not moved.
    state.position = position;
    arena.dispose();
  }
  await prepared;
  ready.set(model, known.add(key));
}
