/** A file of any header text or bytes, valid or not, and `dataBytes` bytes of data. */
export function rawSafetensors(
  header: string | Uint8Array | object,
  dataBytes = 0,
  claimedLength?: bigint,
): Uint8Array {
  const text = typeof header === 'string' || header instanceof Uint8Array ? header : JSON.stringify(header);
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const file = new Uint8Array(8 + bytes.byteLength + dataBytes);
  new DataView(file.buffer).setBigUint64(0, claimedLength ?? BigInt(bytes.byteLength), true);
  file.set(bytes, 8);
  for (let index = 0; index < dataBytes; index++) file[8 + bytes.byteLength + index] = index;
  return file;
}
