import { type Device, selectDevice, XlstmError } from '@xlstm/device';
import { type Bench, offerSoftwareAdapter } from '@xlstm-tooling/kernel-harness';
import { measureCeilings } from './ceilings.ts';
import { type BenchOptions, HELP, parseOptions } from './options.ts';
import { jsonReport, type Report, tableReport } from './report.ts';
import { matching } from './select-benches.ts';

/** A bench and the file that it comes from. */
export interface FoundBench {
  path: string;
  bench: Bench;
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

async function runAll(benches: readonly FoundBench[], device: Device, report: Report): Promise<number> {
  let failed = 0;
  for (const { bench, path } of benches) {
    progress(`bench: ${bench.id} (${path})`);
    try {
      await bench.run(device, report.result, report.skipped);
    } catch (error) {
      failed++;
      progress(`bench: ${bench.id} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (failed > 0) progress(`bench: ${failed} of ${benches.length} benches failed`);
  return failed > 0 ? 1 : 0;
}

async function runWith(all: readonly FoundBench[], options: BenchOptions): Promise<number> {
  const chosen = matching(all, options.filter, ({ path }) => path);
  if (options.device === 'webgpu') offerSoftwareAdapter();
  const { device, reason } = await selectDevice(options.device, { toggles: options.toggles });
  try {
    progress(`bench: ${reason}`);
    progress("bench: measuring the device's ceilings");
    const report = options.json ? jsonReport(print) : tableReport(print);
    report.ceilings(device.name, await measureCeilings(device));
    return await runAll(chosen, device, report);
  } finally {
    device.dispose();
  }
}

/** Runs benches as the command line says; prints to stdout, progress and errors to stderr; returns the exit code. */
export async function runBenches(benches: readonly FoundBench[], argv: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(argv);
    if (options.help) {
      process.stdout.write(HELP);
      return 0;
    }
    return await runWith(benches, options);
  } catch (error) {
    if (!(error instanceof XlstmError)) throw error;
    progress(error.message);
    return 1;
  }
}
