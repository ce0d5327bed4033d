import { type SafetensorsDtype, safetensorsDtypeBytes } from './safetensors-dtype.ts';

/** A tensor of a file to be, without its data. */
export interface TensorPlan {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/** Where everything lies in a file to be. */
export interface SafetensorsLayout<T extends TensorPlan = TensorPlan> {
  /** The length's 8 bytes and the header, padded with spaces to a multiple of 8. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** In file order, with the offset from the start of the file. */
  readonly tensors: readonly { readonly tensor: T; readonly offset: number; readonly byteLength: number }[];
  readonly byteLength: number;
}

/** Bytes of a tensor's data. */
export function planBytes({ dtype, shape }: TensorPlan): number {
  return shape.reduce((product, size) => product * size, safetensorsDtypeBytes(dtype));
}

/** Lays a file out. Tensors are ordered as the reference writer orders them, so bytes agree. */
export function safetensorsLayout<T extends TensorPlan>(
  tensors: readonly T[],
  metadata?: Readonly<Record<string, string>>,
): SafetensorsLayout<T> {
  // Widest elements first keeps each tensor aligned to its element size; then by name.
  const ordered = [...tensors].sort(
    (a, b) => safetensorsDtypeBytes(b.dtype) - safetensorsDtypeBytes(a.dtype) || (a.name < b.name ? -1 : 1),
  );
  // Entries are joined as text: as an object's keys, "__proto__" would be lost and "1" would change places.
  const entries: string[] = [];
  if (metadata && Object.keys(metadata).length > 0) entries.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let end = 0;
  for (const tensor of ordered) {
    const { name, dtype, shape } = tensor;
    const begin = end;
    end += planBytes(tensor);
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const header = new Uint8Array(8 + Math.ceil(json.byteLength / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.byteLength - 8), true);
  header.set(json, 8);
  let offset = header.byteLength;
  const placed = ordered.map((tensor) => {
    const byteLength = planBytes(tensor);
    const at = offset;
    offset += byteLength;
    return { tensor, offset: at, byteLength };
  });
  return { header, tensors: placed, byteLength: offset };
}
