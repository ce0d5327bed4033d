import type { DeviceKind } from '@xlstm/device';
import { fromPretrained, type GeneratedText } from 'xlstm';
import { fromPretrained as fromPretrainedInWorker, type WorkerModel } from 'xlstm/worker';
import { watchThread } from './watch-thread.ts';

/** What a worker costs and gives, on one device. */
export interface WorkerCost {
  device: string;
  tokens: number;
  rounds: number;
  /** From the lower quartile of the times of all tokens. */
  hereTokensPerSecond: number;
  workerTokensPerSecond: number;
  /** How many tokens a second fewer there are in the worker, as a share. */
  cost: number;
  /** The same with a caller's state, which the worker may not run ahead of. */
  costWithState: number;
  /** Mean time of a question and its answer; every token is one. */
  roundTripMicroseconds: number;
  /** Longest gaps of a 10 ms timer on the thread that asks, in ms, and its tasks of 50 ms and more where they are counted. */
  longestGapHere: number;
  longestGapWorker: number;
  longTasksHere: number;
  longTasksWorker: number;
}

/** Of the times of single tokens; what else the machine does lengthens the upper ones. */
const lowerQuartile = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 2]!;

/** Generates some tokens and notes how long each took. Prefill and the first token are not what is measured. */
async function timeTokens(stream: GeneratedText, times: number[]): Promise<void> {
  let last: number | undefined;
  for await (const { tokenIds } of stream) {
    const now = performance.now();
    if (last !== undefined && tokenIds.length > 0) times.push(now - last);
    last = now;
  }
}

/** Of many, since browsers' clocks are coarse. */
async function roundTrip(model: WorkerModel): Promise<number> {
  const count = 2000;
  const begun = performance.now();
  for (let left = count; left > 0; left--) await model.tokenizer.decode([]);
  return (1000 * (performance.now() - begun)) / count;
}

/** Generates by turns here and in a worker, so that whatever else the machine does weighs on both. */
export async function measureWorkerCost(
  source: string | readonly File[],
  device: DeviceKind,
  { tokens, rounds }: { tokens: number; rounds: number },
): Promise<WorkerCost> {
  const here = await fromPretrained(source, { device });
  const there = await fromPretrainedInWorker(source, { device });
  try {
    const times = { here: [] as number[], there: [] as number[], withState: [] as number[] };
    const options = { maxNewTokens: tokens + 1, temperature: 0, eosTokenIds: [] };
    const prompt = 'Once upon a time';
    const run = async (which: keyof typeof times, noted: number[]): Promise<void> => {
      if (which === 'here') return timeTokens(here.generate(prompt, options), noted);
      if (which === 'there') return timeTokens(there.generate(prompt, options), noted);
      const state = there.createState();
      await timeTokens(there.generate(prompt, { ...options, state }), noted);
      state.dispose();
    };
    const all = ['here', 'there', 'withState'] as const;
    const gaps = { here: 0, there: 0, withState: 0 };
    const long = { here: 0, there: 0, withState: 0 };
    for (const which of all) await run(which, []);
    for (let round = 0; round < rounds; round++) {
      for (const which of round % 2 === 0 ? all : [...all].reverse()) {
        const watched = watchThread();
        await run(which, times[which]);
        const { longestGap, longTasks } = watched();
        gaps[which] = Math.max(gaps[which], longestGap);
        long[which] += longTasks.length;
      }
    }
    const rate = (which: keyof typeof times): number => 1000 / lowerQuartile(times[which]);
    const costOf = (which: keyof typeof times): number => 1 - rate(which) / rate('here');
    return {
      device: `${device} (${here.device.name})`,
      tokens,
      rounds,
      hereTokensPerSecond: rate('here'),
      workerTokensPerSecond: rate('there'),
      cost: costOf('there'),
      costWithState: costOf('withState'),
      roundTripMicroseconds: await roundTrip(there),
      longestGapHere: gaps.here,
      longestGapWorker: gaps.there,
      longTasksHere: long.here,
      longTasksWorker: long.there,
    };
  } finally {
    await there.dispose();
    await here.dispose();
  }
}
