import { Arena, createCpuDevice } from '@xlstm/device';
import { Scope, Tensor } from '@xlstm/tensor';
import { afterAll, expect, it } from 'vitest';
import { IGNORE } from '../data/batch-source.ts';
import { CoreTrainable } from './core-model.ts';
import type { CarriedState } from './trainable-model.ts';

const device = createCpuDevice();
const V = 11;
const fields = {
  embedding_dim: 8,
  num_blocks: 2,
  slstm_at: [1],
  mlstm_block: { mlstm: { num_heads: 2, round_proj_up_to_multiple_of: 8 } },
  slstm_block: { slstm: { num_heads: 2, recurrent_weight_init: 'standard' }, feedforward: {} },
};
const model = new CoreTrainable(device, fields, { vocabSize: V, seed: 3, dropout: 0 });
afterAll(() => model.dispose());

const ids = (seed: number, count = 6) => Int32Array.from({ length: count }, (_, at) => (seed + at * (seed + 2)) % V);
const ignored = (count = 6) => new Int32Array(count).fill(IGNORE);

/** The loss of the rows that have targets. */
async function loss(tokens: Int32Array[], targets: Int32Array[], carried?: CarriedState): Promise<number> {
  const arena = new Arena(device);
  const scope = new Scope(arena);
  const shape = [tokens.length, tokens[0]!.length];
  const put = (rows: Int32Array[]) =>
    new Tensor(device.from('i32', Int32Array.from(rows.flatMap((row) => [...row]))), shape);
  const value = await device.read(model.loss(scope, put(tokens), put(targets), { carried }).buffer);
  scope.dispose();
  arena.dispose();
  return value[0]!;
}

it('carries each row of both kinds of blocks on as one long sequence, and begins a restarted row anew', async () => {
  const [a1, a2, b1, b2] = [1, 2, 3, 4].map((seed) => ids(seed)) as [Int32Array, Int32Array, Int32Array, Int32Array];
  const [targetsA, targetsB] = [ids(5), ids(7)];
  const long = await loss([Int32Array.from([...a1, ...a2])], [Int32Array.from([...ignored(), ...targetsA])]);
  const alone = await loss([b2], [targetsB]);
  const unrelated = await loss([a2], [targetsA]);
  const second = async (targets: Int32Array[]) => {
    const carried = model.createCarriedState(2);
    await loss([a1, b1], [targetsA, targetsB], carried);
    carried.restart(Uint8Array.of(0, 1));
    const value = await loss([a2, b2], targets, carried);
    carried.dispose();
    return value;
  };
  expect(await second([targetsA, ignored()])).toBeCloseTo(long, 5);
  expect(await second([ignored(), targetsB])).toBeCloseTo(alone, 5);
  expect(Math.abs(long - unrelated)).toBeGreaterThan(1e-3);
});

it('reads a carried state and goes on from it; one of other rows is refused', async () => {
  const [a1, a2, targets] = [ids(1), ids(2), ids(3)];
  const carried = model.createCarriedState(1);
  await loss([a1], [targets], carried);
  const kept = await carried.read();
  const expected = await loss([a2], [targets], carried);
  carried.write(new Map(kept.map(({ name, data }) => [name, data])));
  expect(await loss([a2], [targets], carried)).toBe(expected);
  const wider = model.createCarriedState(2);
  expect(() => wider.write(new Map(kept.map(({ name, data }) => [name, data])))).toThrow(
    /resume: the carried inputs\.0 is missing or of another shape/,
  );
  carried.dispose();
  wider.dispose();
});

it('refuses to forget a sequence that there is not', () => {
  const state = model.model.createState(2);
  expect(() => state.resetSequence(2)).toThrow(/resetSequence: .* an integer of 0 … 1, got 2/);
  state.dispose();
});
