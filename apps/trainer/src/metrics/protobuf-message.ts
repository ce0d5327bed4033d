const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  // Arithmetic, since step counts may be wider than the 32 bits of shifts.
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

/** Writes one protocol buffer message, field by field in the order of the calls. */
export class ProtobufMessage {
  readonly #parts: Uint8Array[] = [];

  /** An int32, int64, bool or enum that is not negative. */
  integer(field: number, value: number): this {
    return this.#add(field, VARINT, Uint8Array.from(varint(value)));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#add(field, FIXED32, bytes);
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.#add(field, FIXED64, bytes);
  }

  string(field: number, value: string): this {
    return this.#sized(field, new TextEncoder().encode(value));
  }

  message(field: number, value: ProtobufMessage): this {
    return this.#sized(field, value.bytes());
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }

  #sized(field: number, bytes: Uint8Array): this {
    return this.#add(field, BYTES, Uint8Array.from(varint(bytes.length)), bytes);
  }

  #add(field: number, wire: number, ...parts: Uint8Array[]): this {
    this.#parts.push(Uint8Array.from(varint(field * 8 + wire)), ...parts);
    return this;
  }
}
