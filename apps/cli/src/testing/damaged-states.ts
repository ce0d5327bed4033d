/** What can be wrong with a saved state: what it is, the bytes, and what the error says. */
export function damagedStates(sound: Uint8Array): [name: string, bytes: Uint8Array, message: RegExp][] {
  const text = Buffer.from(sound);
  const model = /"model":"([^"]+)"/.exec(text.toString('latin1', 0, 512))![1]!;
  const foreign = Buffer.from(sound);
  foreign.write([...model].reverse().join(''), text.indexOf(model), 'latin1');
  const newer = Buffer.from(sound);
  newer.writeUInt32LE(99, 8);
  const flipped = Buffer.from(sound);
  flipped[flipped.length - 5]! ^= 1;
  return [
    ['cut in the payload', sound.subarray(0, sound.length - 1000), /the state is cut short/],
    ['cut in the header', sound.subarray(0, 40), /does not fit 40 bytes; the state is cut or damaged/],
    ['empty', new Uint8Array(0), /are not a saved state/],
    ['another file', Buffer.from('{"a": 1}'.repeat(100)), /are not a saved state/],
    ['another model', foreign, /is of model .*; load the model that it was saved with/],
    ['a later version', newer, /version 99 is not supported/],
    ['one wrong bit', flipped, /checksum does not match/],
  ];
}
