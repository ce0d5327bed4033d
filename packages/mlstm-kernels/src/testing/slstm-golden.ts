import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SlstmShape } from '../slstm-shape.ts';

/** One case of reference vectors. */
export interface SlstmGoldenCase {
  name: string;
  shape: SlstmShape;
  tensors: ReadonlyMap<string, Float32Array>;
}

/** The copy that every clone has. */
const OWN = fileURLToPath(new URL('../../golden/slstm/tiny', import.meta.url));
/** The full set, beside the repository or where `XLSTM_GOLDEN` says. */
const FULL = `${process.env.XLSTM_GOLDEN ?? fileURLToPath(new URL('../../../../../shared/golden', import.meta.url))}/slstm`;

/** Whether the full set is there, or only the package's own copy. */
export const hasFullSlstmSet: boolean = existsSync(FULL);

function readFloats(path: string): Map<string, Float32Array> {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype?: string; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Float32Array>();
  for (const [name, { dtype, data_offsets }] of Object.entries(header)) {
    if (dtype !== 'F32') continue;
    const [start, end] = data_offsets.map((offset) => 8 + headerBytes + offset);
    tensors.set(name, new Float32Array(new Uint8Array(file.subarray(start, end)).buffer));
  }
  return tensors;
}

function readCase(folder: string, name: string): SlstmGoldenCase {
  const fields = JSON.parse(readFileSync(`${folder}/case.json`, 'utf8')) as {
    B: number;
    S: number;
    num_heads: number;
    head_dim: number;
  };
  const shape = { B: fields.B, S: fields.S, NH: fields.num_heads, DH: fields.head_dim };
  return { name, shape, tensors: readFloats(`${folder}/tensors.safetensors`) };
}

/** All sLSTM cases that are there: the full set, or else the package's copy. */
export function slstmGoldenCases(): SlstmGoldenCase[] {
  if (!hasFullSlstmSet) return [readCase(OWN, 'tiny')];
  return readdirSync(FULL).map((name) => readCase(`${FULL}/${name}`, name));
}
