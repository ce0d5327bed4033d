import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MlstmShape } from '../shape.ts';
import type { HostCell } from './run-cell.ts';

/** One case of reference vectors. */
export interface GoldenCase {
  name: string;
  shape: MlstmShape;
  gate: 'exp' | 'sigmoid';
  normalize: boolean;
  eps: number;
  tensors: ReadonlyMap<string, Float32Array>;
}

/** The copies that every clone has. */
const OWN = fileURLToPath(new URL('../../golden', import.meta.url));
/** The full set, beside the repository or where `XLSTM_GOLDEN` says. */
const FULL = process.env.XLSTM_GOLDEN ?? fileURLToPath(new URL('../../../../../shared/golden', import.meta.url));

/** Whether the full set is there, or only the package's own copies. */
export const hasFullSet: boolean = existsSync(`${FULL}/mlstm`);

function readFloats(path: string): Map<string, Float32Array> {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Float32Array>();
  for (const [name, { dtype, data_offsets }] of Object.entries(header)) {
    if (dtype !== 'F32') continue;
    const [start, end] = data_offsets.map((offset) => 8 + headerBytes + offset);
    tensors.set(name, new Float32Array(new Uint8Array(file.subarray(start, end)).buffer));
  }
  return tensors;
}

function readCase(folder: string, name: string): GoldenCase {
  const { B, NH, S, DHQK, DHHV, gate, normalize, eps } = JSON.parse(
    readFileSync(`${folder}/${name}/case.json`, 'utf8'),
  ) as MlstmShape & { gate: 'exp' | 'sigmoid'; normalize?: boolean; eps: number };
  return {
    name,
    shape: { B, NH, S, DHQK, DHHV },
    gate,
    normalize: normalize ?? true,
    eps,
    tensors: readFloats(`${folder}/${name}/tensors.safetensors`),
  };
}

/** All mLSTM cases that are there: the full set, or else the package's copies. */
export function goldenCases(): GoldenCase[] {
  const folder = hasFullSet ? `${FULL}/mlstm` : OWN;
  return readdirSync(folder)
    .filter((name) => existsSync(`${folder}/${name}/case.json`))
    .map((name) => readCase(folder, name));
}

/** The inputs of a case. */
export function hostCell({ tensors }: GoldenCase): HostCell {
  const [q, k, v, i, f] = ['q', 'k', 'v', 'i', 'f'].map((name) => tensors.get(name)!) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const [c, n, m] = ['c_initial', 'n_initial', 'm_initial'].map((name) => tensors.get(name));
  if (!c || !n || !m) return { q, k, v, i, f };
  const state = new Float32Array(c.length + n.length + m.length);
  state.set(c);
  state.set(n, c.length);
  state.set(m, c.length + n.length);
  return { q, k, v, i, f, state };
}
