import type { Device } from '@xlstm/device';
import { type GoldenCase, readCaseFields } from './golden-case.ts';
import { GoldenTensors } from './golden-tensors.ts';
import { type CaseInput, type DeviceKindOfCase, Job } from './job.ts';
import { KINDS } from './kinds/registry.ts';
import { failure } from './measure.ts';
import { messageOf, type Result } from './record.ts';

/** A device that takes part, by the name that it was asked for with. */
export interface OpenDevice {
  name: string;
  device: Device;
}

/** Stands in the tensor's place where a whole case failed. */
const WHOLE_CASE = '(case)';

/** Every expected output of the file is in the report: what nothing computed is not covered. */
async function runOnDevice(kind: DeviceKindOfCase, input: CaseInput, { name, device }: OpenDevice): Promise<Result[]> {
  const job = new Job(input, name);
  await job.attempt([WHOLE_CASE], async () => {
    const tensors = await GoldenTensors.open(input.files);
    try {
      await job.attempt([WHOLE_CASE], () => kind.run(job, device, tensors));
      for (const tensor of tensors.names) {
        const reported = job.results.some(
          (result) => result.tensor === tensor || result.tensor.startsWith(`${tensor} (`),
        );
        if (!kind.isInput(tensor) && !reported) job.notCovered(tensor);
      }
    } finally {
      await tensors.close();
    }
  });
  return job.results;
}

/**
 * Runs one case and yields the results of each device. A kind that needs no device runs once, as
 * `host`. Whatever is
 * wrong with a case is a failed result, never an exception.
 */
export async function* runCase(
  found: GoldenCase,
  devices: readonly OpenDevice[],
  host = 'host',
): AsyncGenerator<Result[]> {
  const { name, files } = found;
  let input: CaseInput = { name, kind: 'unknown', files, fields: {} };
  let problem: string | undefined;
  try {
    const fields = await readCaseFields(files);
    input = { name, kind: fields.kind, files, fields };
    if (!Object.hasOwn(KINDS, fields.kind)) {
      problem = `kind "${fields.kind}" is unknown; this runner knows ${Object.keys(KINDS).join(', ')}`;
    }
  } catch (error) {
    problem = messageOf(error);
  }
  const kind = KINDS[input.kind];
  if (problem !== undefined || !kind) {
    const job = new Job(input, host);
    job.report(WHOLE_CASE, failure(problem ?? 'kind is unknown'));
    yield job.results;
  } else if (kind.runsOn === 'host') {
    const job = new Job(input, host);
    await job.attempt([WHOLE_CASE], () => kind.run(job));
    yield job.results;
  } else {
    for (const device of devices) yield await runOnDevice(kind, input, device);
  }
}
