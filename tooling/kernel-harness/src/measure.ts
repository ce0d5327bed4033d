import type { Device } from '@xlstm/device';

/** A batch must last this long, so that the wait at its end does not count. */
const BATCH_MILLISECONDS = 40;
const MOST_LAUNCHES = 4096;
const MOST_BATCHES = 9;
const LEAST_BATCHES = 3;
/** After the least number of batches, slow ones stop here. */
const BUDGET_MILLISECONDS = 2000;

/**
 * Times what `queue` queues (launches, copies), which is called with 0, 1, 2, …: records it as a program, replays it
 * once to warm up, and returns the median milliseconds of one call.
 */
export async function measure(device: Device, queue: (index: number) => void): Promise<number> {
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
      if (first < BATCH_MILLISECONDS && launches < MOST_LAUNCHES) continue;
      const times = [first];
      let total = first;
      while (times.length < MOST_BATCHES && (times.length < LEAST_BATCHES || total < BUDGET_MILLISECONDS)) {
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
