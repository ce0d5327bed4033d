import { StateError } from '@xlstm/device';
import type { XLSTMLarge } from './model.ts';
import { stateBytes, type XlstmState } from './state.ts';

/** "XLSTMSTA" in ASCII. */
const MAGIC = [0x58, 0x4c, 0x53, 0x54, 0x4d, 0x53, 0x54, 0x41];
const VERSION = 1;
/** Magic, version, header length. */
const PREFIX_BYTES = 16;
/** A header is a few hundred bytes; nothing longer is read. */
const MOST_HEADER_BYTES = 4096;

/** What the header of a saved state says. Everything but the version is JSON. */
export interface StateHeader {
  /** `model.fingerprint`: which model's past this is. */
  model: string;
  /** Of the payload. */
  dtype: 'fp32';
  /** Tokens read. */
  position: number;
  batch: number;
  numBlocks: number;
  numHeads: number;
  DHQK: number;
  DHHV: number;
  vocabSize: number;
  /** Of the payload, against damage by accident. */
  checksum: string;
}

/** Mixes 32-bit words in four lanes, as fast as JavaScript reads memory. Against accidents, not against intent. */
function checksum(bytes: Uint8Array): string {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let [a, b, c, d] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f];
  let at = 0;
  for (; at + 3 < words.length; at += 4) {
    a = Math.imul((a ^ words[at]!) >>> 0, 0x9e3779b1) ^ (a >>> 15);
    b = Math.imul((b ^ words[at + 1]!) >>> 0, 0x85ebca77) ^ (b >>> 13);
    c = Math.imul((c ^ words[at + 2]!) >>> 0, 0xc2b2ae3d) ^ (c >>> 16);
    d = Math.imul((d ^ words[at + 3]!) >>> 0, 0x27d4eb2f) ^ (d >>> 14);
  }
  for (; at < words.length; at++) a = Math.imul((a ^ words[at]!) >>> 0, 0x9e3779b1) ^ (a >>> 15);
  return [a, b, c, d].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
}

/**
 * A state as bytes that any machine, device and dtype of the same model can go on from: an 8-byte magic, the version and
 * the header's length (little-endian uint32 each), the header as JSON padded with spaces to 8 bytes, then per block the
 * planes `C | n | m`, then the last logits, all little-endian float32.
 *
 * @throws DisposedError, DeviceLostError
 * @example
 * ```ts
 * await writeFile('chat.state', await exportState(model, state))
 * ```
 */
export async function exportState(model: XLSTMLarge, state: XlstmState): Promise<Uint8Array<ArrayBuffer>> {
  const release = state.acquire('exportState');
  try {
    const { total: payloadBytes } = stateBytes(model.config, model.dims, state.batch);
    const payload = new Uint8Array(payloadBytes);
    let at = 0;
    for (const buffer of [...state.blocks, state.logits]) {
      const data = await model.device.read(buffer);
      payload.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
      at += data.byteLength;
    }
    const { numBlocks, numHeads, vocabSize } = model.config;
    const { DHQK, DHHV } = model.dims;
    const { position, batch } = state;
    const header: StateHeader = {
      model: model.fingerprint,
      dtype: 'fp32',
      position,
      batch,
      numBlocks,
      numHeads,
      DHQK,
      DHHV,
      vocabSize,
      checksum: checksum(payload),
    };
    const json = JSON.stringify(header);
    const text = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
    const bytes = new Uint8Array(PREFIX_BYTES + text.length + payload.length);
    const view = new DataView(bytes.buffer);
    bytes.set(MAGIC);
    view.setUint32(8, VERSION, true);
    view.setUint32(12, text.length, true);
    bytes.set(text, PREFIX_BYTES);
    bytes.set(payload, PREFIX_BYTES + text.length);
    return bytes;
  } finally {
    release();
  }
}

function isCount(value: unknown, least: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
}

/**
 * Reads the header of a saved state and nothing else.
 *
 * @throws StateError when the bytes are no state, of an unknown version, or damaged.
 */
export function readStateHeader(bytes: Uint8Array): { header: StateHeader; payloadOffset: number } {
  if (!(bytes instanceof Uint8Array)) {
    throw new StateError(`importState: expected the bytes of a saved state (a Uint8Array), got ${String(bytes)}`);
  }
  if (bytes.length < PREFIX_BYTES || MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw new StateError('importState: these bytes are not a saved state (they do not begin with XLSTMSTA)');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw new StateError(
      `importState: version ${version} is not supported, expected ${VERSION}; save the state again with this release`,
    );
  }
  const length = view.getUint32(12, true);
  if (length > MOST_HEADER_BYTES || PREFIX_BYTES + length > bytes.length) {
    throw new StateError(
      `importState: a header of ${length} bytes does not fit ${bytes.length} bytes; the state is cut or damaged`,
    );
  }
  let header: Partial<StateHeader>;
  try {
    header = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length)),
    );
  } catch (cause) {
    throw new StateError('importState: the header is not JSON; the state is damaged', { cause });
  }
  const counts = ['position', 'batch', 'numBlocks', 'numHeads', 'DHQK', 'DHHV', 'vocabSize'] as const;
  for (const name of counts) {
    if (!isCount(header?.[name], name === 'position' ? 0 : 1)) {
      throw new StateError(
        `importState: header field ${name} must be a positive integer, got ${String(header?.[name])}`,
      );
    }
  }
  for (const name of ['model', 'dtype', 'checksum'] as const) {
    if (typeof header[name] !== 'string') {
      throw new StateError(`importState: header field ${name} must be a text, got ${String(header[name])}`);
    }
  }
  return { header: header as StateHeader, payloadOffset: PREFIX_BYTES + length };
}

/**
 * Makes a state of `model` from bytes that `exportState` gave, here or elsewhere. Nothing is allocated on the device
 * before all of it has been checked.
 *
 * @throws StateError for a state of another model, version or dtype, and for cut or damaged bytes.
 */
export function importState(model: XLSTMLarge, bytes: Uint8Array): XlstmState {
  const { header, payloadOffset } = readStateHeader(bytes);
  if (header.model !== model.fingerprint) {
    throw new StateError(
      `importState: the state is of model ${header.model}, this model is ${model.fingerprint}; load the model that it was saved with`,
    );
  }
  if (header.dtype !== 'fp32') {
    throw new StateError(`importState: the state's dtype is ${String(header.dtype)}, expected fp32`);
  }
  const expected: Record<string, number> = { ...model.dims, ...model.config } as never;
  for (const name of ['numBlocks', 'numHeads', 'DHQK', 'DHHV', 'vocabSize'] as const) {
    if (header[name] !== expected[name]) {
      throw new StateError(`importState: ${name} is ${header[name]}, this model has ${expected[name]}`);
    }
  }
  const { block, total: payload } = stateBytes(model.config, model.dims, header.batch);
  const given = bytes.length - payloadOffset;
  if (given !== payload) {
    throw new StateError(
      `importState: expected ${payload} bytes after the header, got ${given}; the state is ${given < payload ? 'cut short' : 'too long'}`,
    );
  }
  // A copy of its own, aligned for typed views. Not slice(): a Node Buffer's shares memory.
  const data = new Uint8Array(payload);
  data.set(bytes.subarray(payloadOffset));
  if (checksum(data) !== header.checksum) {
    throw new StateError('importState: the checksum does not match; the state was damaged in storage or transfer');
  }
  const state = model.createState(header.batch);
  try {
    state.blocks.forEach((buffer, index) => {
      model.device.upload(buffer, new Float32Array(data.buffer, index * block, block / 4));
    });
    model.device.upload(state.logits, new Float32Array(data.buffer, state.blocks.length * block));
    state.position = header.position;
    return state;
  } catch (error) {
    state.dispose();
    throw error;
  }
}
