import type { DeviceKind } from '@xlstm/device';
import { fromPretrained, type XlstmModel } from 'xlstm';
import { fromPretrained as fromPretrainedInWorker, type WorkerModel } from 'xlstm/worker';
import { watchThread } from './watch-thread.ts';

/** What a worker costs and gives, on one device. */
export interface WorkerCost {
  device: string;
  tokens: number;
  rounds: number;
  /** Medians over the rounds. */
  hereTokensPerSecond: number;
  workerTokensPerSecond: number;
  /** Median over pairs of neighbouring rounds of how many tokens a second fewer there are in the worker. */
  share: number;
  /** Median time of a question and its answer; every token is one. */
  roundTripMicroseconds: number;
  /** Longest gaps of a 10 ms timer on the thread that asks, in ms, and its tasks of 50 ms and more where they are counted. */
  longestGapHere: number;
  longestGapWorker: number;
  longTasksHere: number;
  longTasksWorker: number;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

async function rate(model: XlstmModel | WorkerModel, tokens: number): Promise<number> {
  let read = 0;
  let begun = 0;
  const options = { maxNewTokens: tokens + 1, temperature: 0, eosTokenIds: [] };
  for await (const { tokenIds } of model.generate('Once upon a time', options)) {
    // Prefill and the first token are not what is measured.
    if (begun === 0) begun = performance.now();
    else read += tokenIds.length;
  }
  return (1000 * read) / (performance.now() - begun);
}

async function roundTrip(model: WorkerModel): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < 500; count++) {
    const begun = performance.now();
    await model.tokenizer.decode([]);
    times.push(performance.now() - begun);
  }
  return 1000 * median(times);
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
    const rates: Record<'here' | 'there', number[]> = { here: [], there: [] };
    const gaps = { here: 0, there: 0 };
    const long = { here: 0, there: 0 };
    await rate(here, tokens);
    await rate(there, tokens);
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? (['here', 'there'] as const) : (['there', 'here'] as const);
      for (const which of order) {
        const watched = watchThread();
        rates[which].push(await rate(which === 'here' ? here : there, tokens));
        const { longestGap, longTasks } = watched();
        gaps[which] = Math.max(gaps[which], longestGap);
        long[which] += longTasks.length;
      }
    }
    return {
      device: `${device} (${here.device.name})`,
      tokens,
      rounds,
      hereTokensPerSecond: median(rates.here),
      workerTokensPerSecond: median(rates.there),
      share: median(rates.here.map((own, round) => 1 - rates.there[round]! / own)),
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
