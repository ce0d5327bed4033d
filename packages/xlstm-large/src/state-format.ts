import { StateError } from '@xlstm/device';

/** "XLSTMSTA" in ASCII. */
const MAGIC = [0x58, 0x4c, 0x53, 0x54, 0x4d, 0x53, 0x54, 0x41];
/** Version 1 knew a model by fewer of its weights. */
const VERSION = 2;
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
export function checksum(bytes: Uint8Array): string {
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
 * Puts a payload behind its header: an 8-byte magic, the version and the header's length (little-endian uint32 each), then
 * the header as JSON padded with spaces to 8 bytes.
 */
export function encodeState(
  facts: Omit<StateHeader, 'dtype' | 'checksum'>,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const header: StateHeader = { ...facts, dtype: 'fp32', checksum: checksum(payload) };
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
    const remedy =
      version < VERSION
        ? 'an earlier release saved it; read its text again with this one'
        : 'a later release saved it; upgrade to that one';
    throw new StateError(`importState: version ${version} is not supported, expected ${VERSION}; ${remedy}`);
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
