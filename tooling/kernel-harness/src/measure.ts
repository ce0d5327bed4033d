import type { Device } from '@xlstm/device';

/** A batch must last this long, so that the wait at its end does not count. */
const BATCH_MILLISECONDS = 40;
/** And this long where many things are compared roughly. */
const ROUGH_MILLISECONDS = 10;
const MOST_LAUNCHES = 4096;
const MOST_BATCHES = 9;
const LEAST_BATCHES = 3;
/** After the least number of batches, slow ones stop here. */
const BUDGET_MILLISECONDS = 2000;

/**
 * Times what `queue` queues (launches, copies), which is called with 0, 1, 2, …: records it as a program, replays it
 * once to warm up, and returns the median milliseconds of one call. `rough` takes a few percent of the time, and errs by as
 * much.
 */
export async function measure(
  device: Device,
  queue: (index: number) => void,
  { rough = false }: { rough?: boolean } = {},
): Promise<number> {
  const least = rough ? ROUGH_MILLISECONDS : BATCH_MILLISECONDS;
  const most = rough ? LEAST_BATCHES : MOST_BATCHES;
  for (let launches = 1; ; launches *= 4) {
    const program = device.record(() => {
      for (let index = 0; index < launches; index++) queue(index);
    }, 'bench');
    const replay = async (): Promise<number> => {
      const start = performance.now();
      program.run();
      await device.sync();
      return performance.now() - start;
    };
    try {
      await replay();
      const first = await replay();
      if (first < least && launches < MOST_LAUNCHES) continue;
      const times = [first];
      let total = first;
      while (times.length < most && (times.length < LEAST_BATCHES || total < BUDGET_MILLISECONDS)) {
        const time = await replay();
        times.push(time);
        total += time;
      }
      return times.sort((a, b) => a - b)[times.length >> 1]! / launches;
    } finally {
      program.dispose();
    }
  }
}
