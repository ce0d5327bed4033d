import type { DeviceInfo, DeviceKind, LiveBuffers, WeightDtype } from '@xlstm/device';
import type { TransferProgress } from '@xlstm/loaders';
import type { DecodeOptions, EncodeOptions, Tokenizer } from '@xlstm/tokenizer';
import type { XlstmLargeConfig } from '@xlstm/xlstm-large';
import type { BatchChunk } from '../batch-options.ts';
import type { FromPretrainedOptions } from '../from-pretrained.ts';
import type { GenerateChunk, GenerateResult } from '../generated-text.ts';
import type { CheckpointBlob } from '../picked-files.ts';
import type { TransferredError } from './error-transfer.ts';

/** Both sides must speak the same version; a page and its worker may come from different deployments. */
export const PROTOCOL_VERSION = 4;

/** What a tokenizer says of itself without being asked to work. */
export type TokenizerFacts = Pick<
  Tokenizer,
  'kind' | 'vocabSize' | 'bosId' | 'eosIds' | 'padId' | 'specialTokens' | 'addsBos'
>;

/** What the other side knows of a model once it is loaded. */
export interface ModelFacts {
  config: XlstmLargeConfig;
  dtype: WeightDtype;
  fingerprint: string;
  deviceReason: string;
  device: { kind: DeviceKind; name: string; info: DeviceInfo };
  tokenizer: TokenizerFacts;
}

/** What `onProgress` is called with. */
export type Progress = Parameters<NonNullable<FromPretrainedOptions['onProgress']>>[0];

/** A state's handle on both sides, chosen by whoever asks. So are the ids of generations. */
export type Handle = number;

/** One step of a generation; `position` is the state's, where one was given. */
export type GenerationStep =
  | { done: false; chunk: GenerateChunk; position: number }
  | { done: true; result: GenerateResult; position: number };

/** One step of a batch; `positions` are those of the prompts' states, where a prompt has one, in order. */
export type BatchStep =
  | { done: false; chunk: BatchChunk; positions: number[] }
  | { done: true; results: GenerateResult[]; positions: number[] };

/** One prompt of a batch. */
export interface BatchSequenceRequest {
  /** Its own handle: `abort` ends it alone, and news of its prefill come under it. */
  sequence: Handle;
  prompt: string | number[];
  options: Readonly<Record<string, unknown>>;
  state: Handle | undefined;
  reportPrefill: boolean;
  aborted: boolean;
}

/** What the engine can be asked, by name: the arguments, and what comes back. */
export interface Calls {
  load(request: {
    version: number;
    source: string | CheckpointBlob[];
    options: Readonly<Record<string, unknown>>;
    reportProgress: boolean;
    reportDownload: boolean;
  }): ModelFacts;
  abortLoad(): void;
  createState(state: Handle): void;
  cloneState(state: Handle, from: Handle): { position: number };
  resetState(state: Handle): void;
  disposeState(state: Handle): void;
  statePosition(state: Handle): number;
  exportState(state: Handle): Uint8Array<ArrayBuffer>;
  importState(state: Handle, bytes: Uint8Array): { position: number };
  encode(text: string, options: EncodeOptions | undefined): number[];
  decode(ids: number[], options: DecodeOptions | undefined): string;
  generate(request: {
    generation: Handle;
    prompt: string | number[];
    options: Readonly<Record<string, unknown>>;
    state: Handle | undefined;
    reportPrefill: boolean;
    aborted: boolean;
  }): void;
  /** Computes one more chunk; nothing is computed that nobody asked for, so that a state never runs ahead. */
  next(generation: Handle): GenerationStep;
  /** Runs a generation to its end without sending chunks. */
  finish(generation: Handle): GenerationStep;
  /** The reader left. */
  leave(generation: Handle): GenerationStep;
  generateBatch(request: {
    batch: Handle;
    sequences: BatchSequenceRequest[];
    maxBatch: number | undefined;
    aborted: boolean;
  }): void;
  nextOfBatch(batch: Handle): BatchStep;
  finishBatch(batch: Handle): BatchStep;
  leaveBatch(batch: Handle): BatchStep;
  /** Of a generation, a batch, or one sequence of a batch. */
  abort(generation: Handle): void;
  liveBuffers(): LiveBuffers;
  dispose(): void;
}

export type CallName = keyof Calls;

/** What the client sends: a call with a number of its own. */
export type Request = {
  [Name in CallName]: { id: number; call: Name; arguments: Parameters<Calls[Name]> };
}[CallName];

/** What the engine sends: the answer to a call, or news in between. */
export type Response =
  | { type: 'done'; id: number; value: ReturnType<Calls[CallName]> }
  | { type: 'failed'; id: number; error: TransferredError }
  | { type: 'progress'; progress: Progress }
  | { type: 'download'; events: TransferProgress[] }
  | { type: 'prefill'; generation: Handle; done: number; total: number };

const RESPONSE_TYPES: readonly string[] = [
  'done',
  'failed',
  'progress',
  'download',
  'prefill',
] satisfies Response['type'][];

const CALL_NAMES = {
  load: true,
  abortLoad: true,
  createState: true,
  cloneState: true,
  resetState: true,
  disposeState: true,
  statePosition: true,
  exportState: true,
  importState: true,
  encode: true,
  decode: true,
  generate: true,
  next: true,
  finish: true,
  leave: true,
  generateBatch: true,
  nextOfBatch: true,
  finishBatch: true,
  leaveBatch: true,
  abort: true,
  liveBuffers: true,
  dispose: true,
} as const satisfies Record<CallName, true>;

function fieldsOf(message: unknown): Readonly<Record<string, unknown>> {
  return typeof message === 'object' && message !== null ? (message as Record<string, unknown>) : {};
}

/** Whether a message is one that the engine understands. */
export function isRequest(message: unknown): message is Request {
  const { id, call, arguments: given } = fieldsOf(message);
  return typeof id === 'number' && typeof call === 'string' && Object.hasOwn(CALL_NAMES, call) && Array.isArray(given);
}

/** Whether a message is one that the client understands. */
export function isResponse(message: unknown): message is Response {
  const { type } = fieldsOf(message);
  return typeof type === 'string' && RESPONSE_TYPES.includes(type);
}

/** A message as an error may show it. */
export function shown(message: unknown): string {
  try {
    return (JSON.stringify(message) ?? String(message)).slice(0, 200);
  } catch {
    return String(message);
  }
}
