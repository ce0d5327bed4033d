import { DeviceError } from '../errors.ts';
import type { ProfiledDispatch } from '../program.ts';
import { type Command, encodeTransfer } from './commands.ts';

/** WebGPU allows 4,096 queries in a set; a dispatch takes two. */
const DISPATCHES_AT_A_TIME = 2048;
const NANOSECONDS = 1e6;
const QUERY_RESOLVE = 0x200;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;
const MAP_READ = 0x01;

/** Cuts a command list so that no part has more dispatches than a query set can time. */
function parts(commands: readonly Command[]): Command[][] {
  const cut: Command[][] = [[]];
  let dispatches = 0;
  for (const command of commands) {
    if (command.type === 'dispatch' && dispatches++ === DISPATCHES_AT_A_TIME) {
      cut.push([]);
      dispatches = 1;
    }
    cut.at(-1)!.push(command);
  }
  return cut;
}

async function profilePart(gpu: GPUDevice, commands: readonly Command[]): Promise<ProfiledDispatch[]> {
  const dispatches = commands.filter((command) => command.type === 'dispatch');
  if (dispatches.length === 0) return [];
  const count = 2 * dispatches.length;
  const querySet = gpu.createQuerySet({ type: 'timestamp', count });
  const resolved = gpu.createBuffer({ size: 8 * count, usage: QUERY_RESOLVE | COPY_SRC });
  const readable = gpu.createBuffer({ size: 8 * count, usage: MAP_READ | COPY_DST });
  try {
    const encoder = gpu.createCommandEncoder();
    let query = 0;
    for (const command of commands) {
      if (command.type !== 'dispatch') {
        encodeTransfer(encoder, command);
        continue;
      }
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: query, endOfPassWriteIndex: query + 1 },
      });
      query += 2;
      pass.setPipeline(command.pipeline);
      pass.setBindGroup(0, command.bindGroup);
      pass.dispatchWorkgroups(command.x, command.y, command.z);
      pass.end();
    }
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, 8 * count);
    gpu.queue.submit([encoder.finish()]);
    await readable.mapAsync(MAP_READ);
    const ticks = new BigUint64Array(readable.getMappedRange().slice(0));
    return dispatches.map(({ kernel }, at) => ({
      kernel,
      milliseconds: Number(ticks[2 * at + 1]! - ticks[2 * at]!) / NANOSECONDS,
    }));
  } finally {
    querySet.destroy();
    resolved.destroy();
    readable.destroy();
  }
}

/** Runs commands with a timestamp before and after each dispatch. */
export async function profileCommands(gpu: GPUDevice, commands: readonly Command[]): Promise<ProfiledDispatch[]> {
  if (!gpu.features.has('timestamp-query')) {
    throw new DeviceError(
      'program.profile: this adapter offers no timestamps (timestamp-query); time whole runs between two syncs instead',
    );
  }
  const timed: ProfiledDispatch[] = [];
  for (const part of parts(commands)) timed.push(...(await profilePart(gpu, part)));
  return timed;
}
