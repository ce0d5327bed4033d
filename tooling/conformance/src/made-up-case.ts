import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeSafetensors, type NamedTensor, type SafetensorsDtype } from '@xlstm/loaders';

/** Tensors by name, for the tests' own golden cases. */
export type MadeUpTensors = Record<string, { shape: number[]; data: number[]; dtype?: SafetensorsDtype }>;

/** Numbers between −1 and 1 that look like noise and are the same every time. */
export function madeUpNumbers(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.fround(Math.sin(12.9898 * (index + 1) + 78.233 * seed)));
}

const SHAPE = { B: 2, NH: 2, S: 5, DHQK: 3, DHHV: 4 };
export const MLSTM_FIELDS: Readonly<Record<string, unknown>> = { kind: 'mlstm', gate: 'exp', ...SHAPE, eps: 1e-6 };

/** An mLSTM case whose outputs come from the step recurrence, spelled out here in float64, with dq and what nothing computes. */
export function madeUpMlstm(): MadeUpTensors {
  const { B, NH, S, DHQK, DHHV } = SHAPE;
  const [q, k] = [madeUpNumbers(B * NH * S * DHQK, 1), madeUpNumbers(B * NH * S * DHQK, 2)];
  const v = madeUpNumbers(B * NH * S * DHHV, 3);
  const [i, f] = [madeUpNumbers(B * NH * S, 4), madeUpNumbers(B * NH * S, 5)];
  const dh = madeUpNumbers(B * NH * S * DHHV, 6);
  const h: number[] = [];
  const dq: number[] = [];
  const last: { c: number[]; n: number[]; m: number[] } = { c: [], n: [], m: [] };
  for (let head = 0; head < B * NH; head++) {
    const c = Array.from({ length: DHQK }, () => new Array<number>(DHHV).fill(0));
    const n = new Array<number>(DHQK).fill(0);
    let m = 0;
    for (let s = head * S; s < (head + 1) * S; s++) {
      const logf = -Math.log1p(Math.exp(-f[s]!));
      const before = m;
      m = Math.max(logf + before, i[s]!);
      const [keep, add] = [Math.exp(logf + before - m), Math.exp(i[s]! - m)];
      for (let x = 0; x < DHQK; x++) {
        const key = k[s * DHQK + x]!;
        n[x] = keep * n[x]! + add * key;
        for (let y = 0; y < DHHV; y++) c[x]![y] = keep * c[x]![y]! + add * key * v[s * DHHV + y]!;
      }
      const query = q.slice(s * DHQK, (s + 1) * DHQK).map((value) => value / Math.sqrt(DHQK));
      const dot = query.reduce((sum, value, x) => sum + value * n[x]!, 0);
      const normalizer = Math.max(Math.abs(dot), Math.exp(-m)) + 1e-6;
      for (let y = 0; y < DHHV; y++) h.push(query.reduce((sum, value, x) => sum + value * c[x]![y]!, 0) / normalizer);
      const upstream = dh.slice(s * DHHV, (s + 1) * DHHV);
      const through = upstream.reduce((sum, value, y) => sum + value * h[s * DHHV + y]!, 0);
      const ofDot = Math.abs(dot) > Math.exp(-m) ? -Math.sign(dot) * through : 0;
      for (let x = 0; x < DHQK; x++) {
        const ofRow = upstream.reduce((sum, value, y) => sum + value * c[x]![y]!, 0);
        dq.push((ofRow + ofDot * n[x]!) / normalizer / Math.sqrt(DHQK));
      }
    }
    last.c.push(...c.flat());
    last.n.push(...n);
    last.m.push(m);
  }
  return {
    q: { shape: [B, NH, S, DHQK], data: q },
    k: { shape: [B, NH, S, DHQK], data: k },
    v: { shape: [B, NH, S, DHHV], data: v },
    i: { shape: [B, NH, S], data: i },
    f: { shape: [B, NH, S], data: f },
    dh: { shape: [B, NH, S, DHHV], data: dh },
    h: { shape: [B, NH, S, DHHV], data: h },
    c_last: { shape: [B, NH, DHQK, DHHV], data: last.c },
    n_last: { shape: [B, NH, DHQK], data: last.n },
    m_last: { shape: [B, NH, 1], data: last.m },
    dq: { shape: [B, NH, S, DHQK], data: dq },
    dsomething: { shape: [B, NH, S, DHQK], data: madeUpNumbers(B * NH * S * DHQK, 7) },
  };
}

/** Writes a case's folder. */
export async function writeCase(folder: string, fields: unknown, tensors?: MadeUpTensors): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'case.json'), JSON.stringify(fields));
  if (!tensors) return;
  const named: NamedTensor[] = Object.entries(tensors).map(([name, { shape, data, dtype = 'F32' }]) => ({
    name,
    dtype,
    shape,
    data: dtype === 'F32' ? Float32Array.from(data) : Int32Array.from(data),
  }));
  await writeFile(join(folder, 'tensors.safetensors'), encodeSafetensors(named));
}
