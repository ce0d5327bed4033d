import { decodeTable } from '@xlstm/device';

/**
 * Elements `start … start + count − 1` of quantised rows as float32 at the beginning of `target`; both whole groups. Codes lie
 * as `quantizeRows` puts them.
 */
export function decodeCodes(
  codes: Uint32Array,
  scales: Uint16Array,
  bits: number,
  group: number,
  start: number,
  count: number,
  target: Float32Array,
): void {
  const table = decodeTable('fp16');
  const firstGroup = start / group;
  if (bits === 8) {
    const bytes = new Int8Array(codes.buffer, codes.byteOffset + start, count);
    for (let at = 0, g = firstGroup; at < count; g++) {
      const scale = table[scales[g]!]!;
      for (const end = at + group; at < end; at++) target[at] = scale * bytes[at]!;
    }
    return;
  }
  const bytes = new Uint8Array(codes.buffer, codes.byteOffset + start / 2, count / 2);
  for (let at = 0, g = firstGroup; at < count; g++) {
    const scale = table[scales[g]!]!;
    for (const end = at + group; at < end; at += 2) {
      const pair = bytes[at >> 1]!;
      target[at] = scale * ((pair & 15) - 8);
      target[at + 1] = scale * ((pair >> 4) - 8);
    }
  }
}
