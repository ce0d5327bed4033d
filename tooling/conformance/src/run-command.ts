import { stat } from 'node:fs/promises';
import { createCpuDevice, createWebGpuDevice, type DeviceKind, OptionError } from '@xlstm/device';
import { offerSoftwareAdapter } from '@xlstm-tooling/kernel-harness';
import { type CaseFolder, findCases } from './case-folder.ts';
import { type ConformanceOptions, DEVICE_KINDS, type DeviceName, HELP, parseOptions } from './options.ts';
import { runInPage } from './page/run-in-page.ts';
import { type Counts, countResults, messageOf, type Result } from './record.ts';
import { type OpenDevice, runCase } from './run-case.ts';
import { resultTable } from './table.ts';

/** Where the command writes. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
  /** Shown until the next call; left out where nobody watches. */
  progress?: (text: string) => void;
}

interface Devices {
  open: OpenDevice[];
  /** Why a kind is not there. */
  absent: { kind: DeviceName; reason: string }[];
}

async function openDevices(kinds: readonly DeviceKind[]): Promise<Devices> {
  const devices: Devices = { open: [], absent: [] };
  for (const kind of kinds) {
    try {
      if (kind === 'webgpu') offerSoftwareAdapter();
      const device = kind === 'cpu' ? createCpuDevice() : await createWebGpuDevice();
      devices.open.push({ name: kind, device });
    } catch (error) {
      devices.absent.push({ kind, reason: messageOf(error) });
    }
  }
  return devices;
}

async function selectCases({ folder, filter }: ConformanceOptions): Promise<CaseFolder[]> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw new OptionError(`expected a folder of golden cases, got ${folder}`);
  const cases = await findCases(folder);
  return filter === undefined ? cases : cases.filter(({ name }) => name.includes(filter));
}

/** Says what came of all, and whether that is success. Nothing compared is no success. */
function conclude(options: ConformanceOptions, counts: Counts, output: Output): number {
  if (options.json) output.out(`${JSON.stringify(counts)}\n`);
  else output.out(`${counts.passed} passed, ${counts.failed} failed, ${counts.notCovered} not covered\n`);
  if (counts.passed + counts.failed > 0) return counts.failed > 0 ? 1 : 0;
  const filtered = options.filter === undefined ? '' : ` whose path contains "${options.filter}"`;
  const why = counts.notCovered > 0 ? 'no expected tensor is covered' : `no golden case${filtered} was found`;
  output.error(`conformance: nothing ran: ${why} in ${options.folder}\n`);
  return 1;
}

/** Prints results as they come, and keeps what the end needs to know. */
class Report {
  readonly counts: Counts = { passed: 0, failed: 0, notCovered: 0 };
  readonly failed: Result[] = [];
  readonly #options: ConformanceOptions;
  readonly #output: Output;

  constructor(options: ConformanceOptions, output: Output) {
    this.#options = options;
    this.#output = output;
  }

  take(results: readonly Result[]): void {
    this.#output.progress?.('');
    const counted = countResults(results);
    for (const status of ['passed', 'failed', 'notCovered'] as const) this.counts[status] += counted[status];
    this.failed.push(...results.filter(({ status }) => status === 'failed'));
    if (this.#options.json) this.#output.out(results.map((result) => `${JSON.stringify(result)}\n`).join(''));
    else this.#output.out(resultTable(results));
  }

  present(name: DeviceName, what: string): void {
    this.#output.error(`device ${name}: ${what}\n`);
  }

  /** A device that is not there is a failure where it was asked for. */
  absent(name: DeviceName, reason: string): void {
    this.#output.error(`device ${name} is not there: ${reason}\n`);
    if (this.#options.devices) this.counts.failed++;
  }
}

async function runHere(
  cases: readonly CaseFolder[],
  kinds: readonly DeviceKind[],
  report: Report,
  progress: (text: string) => void,
): Promise<void> {
  const devices = await openDevices(kinds);
  try {
    for (const { name, device } of devices.open) report.present(name as DeviceKind, device.name);
    for (const { kind, reason } of devices.absent) report.absent(kind, reason);
    for (const [index, found] of cases.entries()) {
      progress(`${index + 1}/${cases.length} ${found.name}`);
      for await (const results of runCase(found, devices.open)) report.take(results);
    }
  } finally {
    for (const { device } of devices.open) device.dispose();
  }
}

async function runAll(options: ConformanceOptions, output: Output): Promise<number> {
  const cases = await selectCases(options);
  const report = new Report(options, output);
  const progress = (text: string): void => output.progress?.(text);
  const names = options.devices ?? DEVICE_KINDS;
  const kinds = DEVICE_KINDS.filter((kind) => names.includes(kind));
  try {
    if (kinds.length > 0) await runHere(cases, kinds, report, progress);
    if (names.includes('chromium')) {
      await runInPage(cases, {
        present: (name) => report.present('chromium', name),
        absent: (reason) => report.absent('chromium', reason),
        progress,
        results: (results) => report.take(results),
      });
    }
  } finally {
    progress('');
  }
  for (const result of report.failed) {
    const message = result.message ? `: ${result.message}` : '';
    output.error(`FAIL ${result.case} on ${result.device}: ${result.tensor}${message}\n`);
  }
  return conclude(options, report.counts, output);
}

/**
 * Runs the command and returns its exit code: 0 when everything compared is within its budget, 1 when something is
 * not, a kind is unknown, a named device is absent or nothing ran, 2 for a command line that makes no sense.
 */
export async function runCommand(argv: readonly string[], output: Output): Promise<number> {
  try {
    const options = parseOptions(argv);
    if (!options) {
      output.out(HELP);
      return 0;
    }
    return await runAll(options, output);
  } catch (error) {
    output.error(`conformance: ${messageOf(error)}\n`);
    if (!(error instanceof OptionError)) return 1;
    output.error('See npm run conformance -- --help\n');
    return 2;
  }
}
