import type { ReferenceBuffers } from '@xlstm/device';
import { CARRIED, DECAY, DENOMINATOR, INVERSE, rowIndex, TILE, tilesOf } from '../../backward-rows.ts';
import { indexer } from '../../layout.ts';
import { statePlanes } from '../../state.ts';
import type { bindings, params } from './signature.ts';

type Cell = Readonly<Record<keyof typeof params, number>>;

/** A state's planes from some place on. */
interface Planes {
  data: Float32Array;
  c: number;
  n: number;
}

/** Σ C·dC + Σ n·dn by tiles of C; n counts for the first column of tiles. */
function fluxByTile(C: Float64Array, n: Float64Array, state: Planes, { DHQK, DHHV }: Cell): Float64Array {
  const columns = tilesOf(DHHV);
  const sums = new Float64Array(tilesOf(DHQK) * columns);
  for (let d = 0; d < DHQK; d++) {
    const tile = Math.floor(d / TILE) * columns;
    sums[tile]! += n[d]! * state.data[state.n + d]!;
    const row = d * DHHV;
    for (let start = 0; start < DHHV; start += TILE) {
      let sum = 0;
      for (let e = start; e < Math.min(start + TILE, DHHV); e++) sum += C[row + e]! * state.data[state.c + row + e]!;
      sums[tile + start / TILE]! += sum;
    }
  }
  return sums;
}

/** The gradient of the state that every chunk leaves and of the initial one; running gradient in float64. */
export function mlstmChunkwiseBackwardStatesReference(
  { q, dh, rows, entering, last, carry, leaving, flux }: ReferenceBuffers<typeof bindings>,
  cell: Cell,
): void {
  const { B, NH, S, DHQK, DHHV, L } = cell;
  const NC = Math.ceil(S / L);
  const planes = statePlanes(cell);
  const [qAt, dhAt] = [indexer(cell, 'q'), indexer(cell, 'dh')];
  const scale = 1 / Math.sqrt(DHQK);
  const C = new Float64Array(DHQK * DHHV);
  const n = new Float64Array(DHQK);
  const delta = new Float64Array(DHHV);
  for (let b = 0; b < B; b++) {
    for (let head = 0; head < NH; head++) {
      const cell0 = b * NH + head;
      const plane = (index: number) => rowIndex(cell, index, cell0);
      const stateOf = (chunk: number): Planes => {
        if (chunk === NC) return { data: last, c: cell0 * C.length, n: planes.n + cell0 * DHQK };
        const entry = cell0 * NC + chunk;
        return { data: entering, c: entry * C.length, n: planes.n * NC + entry * DHQK };
      };
      const pass = (chunk: number): void => {
        for (const [tile, sum] of fluxByTile(C, n, stateOf(chunk), cell).entries()) {
          flux[(tile * B * NH + cell0) * (NC + 1) + chunk] = sum;
        }
      };
      C.set(carry.subarray(cell0 * C.length, (cell0 + 1) * C.length));
      n.set(carry.subarray(planes.n + cell0 * DHQK, planes.n + (cell0 + 1) * DHQK));
      for (let chunk = NC - 1; chunk >= 0; chunk--) {
        const entry = cell0 * NC + chunk;
        leaving.set(C, entry * C.length);
        leaving.set(n, planes.n * NC + entry * DHQK);
        pass(chunk + 1);
        const decay = rows[DECAY * B * NH * S + entry]!;
        for (let place = 0; place < C.length; place++) C[place]! *= decay;
        for (let d = 0; d < DHQK; d++) n[d]! *= decay;
        for (let j = chunk * L; j < Math.min((chunk + 1) * L, S); j++) {
          const carried = rows[plane(CARRIED) + j]! * scale;
          const inverse = rows[plane(INVERSE) + j]!;
          const denominator = rows[plane(DENOMINATOR) + j]!;
          const [q0, dh0] = [qAt(b, head, j), dhAt(b, head, j)];
          for (let e = 0; e < DHHV; e++) delta[e] = inverse * dh[dh0 + e]!;
          for (let d = 0; d < DHQK; d++) {
            const query = carried * q[q0 + d]!;
            n[d]! += query * denominator;
            const row = d * DHHV;
            for (let e = 0; e < DHHV; e++) C[row + e]! += query * delta[e]!;
          }
        }
      }
      pass(0);
      carry.set(C, cell0 * C.length);
      carry.set(n, planes.n + cell0 * DHQK);
    }
  }
}
