/**
 * Byte-level BPE writes each byte as one visible character: printable Latin-1 as itself, the other 68 bytes as U+0100
 * and up in order (GPT-2's table; a space is `Ġ`).
 */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = byteOfCharacter();

/** The character that byte `b` is written as, at place `b`. */
export const CHARACTER_OF_BYTE: readonly string[] = [...BYTE_OF_CHARACTER.keys()];

/** The bytes that a vocabulary entry stands for; one with characters outside the alphabet stands for its own UTF-8. */
export function bytesOfVocabularyEntry(entry: string): Uint8Array {
  const bytes = new Uint8Array(entry.length);
  for (let i = 0; i < entry.length; i++) {
    const byte = BYTE_OF_CHARACTER.get(entry[i]!);
    if (byte === undefined) return new TextEncoder().encode(entry);
    bytes[i] = byte;
  }
  return bytes;
}

function byteOfCharacter(): Map<string, number> {
  const table = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
    table.set(String.fromCharCode(visible ? byte : next++), byte);
  }
  return table;
}
