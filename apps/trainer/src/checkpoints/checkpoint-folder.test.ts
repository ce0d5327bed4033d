import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NumericsError } from '@xlstm/device';
import { afterAll, expect, it } from 'vitest';
import {
  type Checkpoint,
  checkpointsFolder,
  listCheckpoints,
  loadCheckpoint,
  saveCheckpoint,
} from './checkpoint-folder.ts';

const root = await mkdtemp(join(tmpdir(), 'xlstm-checkpoint-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const tensor = (name: string, ...values: number[]) => ({
  name,
  shape: [values.length],
  data: Float32Array.of(...values),
});

function checkpoint(step: number): Checkpoint {
  return {
    step,
    identity: { model: { kind: 'test' }, tokenizer: 'bytes', data: 'text' },
    position: { at: step },
    best: 1.5,
    tokens: 10 * step,
    weights: [tensor('a', 1, 2), tensor('b', 3)],
    optimizer: {
      step,
      firstMoments: new Map([['a', Float32Array.of(1, 2)]]),
      secondMoments: new Map([['a', Float32Array.of(3, 4)]]),
    },
    carried: [[tensor('state.0', 5)]],
    device: { kind: 'cpu', name: 'CPU' },
  };
}

it('reads back what it wrote', async () => {
  const folder = await saveCheckpoint(join(root, 'whole'), checkpoint(3));
  expect(await loadCheckpoint(folder)).toEqual(checkpoint(3));
});

it.each([
  ['a weight', { weights: [tensor('a', 1, Number.NaN)] }, /"a" is not finite \(element 1 is NaN\)/],
  [
    'a moment',
    {
      optimizer: {
        step: 4,
        firstMoments: new Map(),
        secondMoments: new Map([['b', Float32Array.of(Number.POSITIVE_INFINITY)]]),
      },
    },
    /"second\.b" is not finite \(element 0 is Infinity\)/,
  ],
  ['a carried state', { carried: [[tensor('state.0', Number.NaN)]] }, /"state\.0" is not finite/],
])('writes nothing where %s is not finite, and leaves what was there', async (name, change, message) => {
  const outDir = join(root, name);
  await saveCheckpoint(outDir, checkpoint(3));
  const ruined = saveCheckpoint(outDir, { ...checkpoint(4), ...change });
  await expect(ruined).rejects.toThrow(NumericsError);
  await expect(ruined).rejects.toThrow(message);
  expect(await readdir(checkpointsFolder(outDir))).toEqual(['step-00000003']);
  expect((await listCheckpoints(outDir)).map(({ step }) => step)).toEqual([3]);
});
