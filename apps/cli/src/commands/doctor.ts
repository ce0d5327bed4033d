import { arch, cpus, freemem, platform, release, totalmem } from 'node:os';
import { type DeviceInfo, type DeviceKind, listDevices, type PassedOver, selectDevice } from '@xlstm/device';
import type { Command } from 'commander';
import { formatBytes, formatCount, formatTable } from '../human-readable.ts';
import { version } from '../installed.ts';
import type { Context } from '../terminal.ts';

/** What `doctor --json` prints. */
export interface DoctorReport {
  version: string;
  node: string;
  platform: string;
  arch: string;
  release: string;
  cpu: { model: string; threads: number };
  memory: { total: number; free: number };
  devices: (({ available: true } & DeviceInfo) | { available: false; kind: DeviceKind; reason: string })[];
  /** What `--device auto` takes here. */
  auto: { kind: DeviceKind; name: string; reason: string; passedOver: readonly PassedOver[] };
}

/** Looks at this machine. Every device that it opens is released again. */
export async function examine(): Promise<DoctorReport> {
  const devices = (await listDevices()).map((report) =>
    'info' in report
      ? { available: true as const, ...report.info }
      : { available: false as const, kind: report.kind, reason: report.absent },
  );
  const { device, reason, passedOver } = await selectDevice('auto');
  const auto = { kind: device.kind, name: device.name, reason, passedOver };
  device.dispose();
  const processors = cpus();
  return {
    version: version(),
    node: process.version,
    platform: platform(),
    arch: arch(),
    release: release(),
    cpu: { model: processors[0]?.model.trim() || 'unknown', threads: processors.length },
    memory: { total: totalmem(), free: freemem() },
    devices,
    auto,
  };
}

function deviceSection(device: DoctorReport['devices'][number]): string {
  if (!device.available) return `${device.kind}: absent\n  ${device.reason.replace(`${device.kind}: `, '')}`;
  const limits = Object.entries(device.limits).map(([name, value]) => [`    ${name}`, formatCount(value)]);
  const facts = [
    ...(device.vendor ? [['  vendor', device.vendor]] : []),
    ...(device.architecture ? [['  architecture', device.architecture]] : []),
    ['  features', device.features.length > 0 ? [...device.features].sort().join(', ') : 'none'],
  ];
  const lines = [
    `${device.kind}: ${device.name}${device.software ? ' (a software implementation, slower than our cpu device)' : ''}`,
    formatTable(facts),
    ...(limits.length > 0 ? ['  limits', formatTable(limits, [1])] : []),
  ];
  return lines.join('\n');
}

function doctorText(report: DoctorReport): string {
  const machine = formatTable([
    ['xlstm', report.version],
    ['node', `${report.node}, ${report.platform} ${report.arch} ${report.release}`],
    ['cpu', `${report.cpu.threads} × ${report.cpu.model}`],
    ['memory', `${formatBytes(report.memory.total)}, ${formatBytes(report.memory.free)} of it free`],
  ]);
  const auto = `--device auto takes ${report.auto.reason}`;
  return `${[machine, ...report.devices.map(deviceSection), auto].join('\n\n')}\n`;
}

/** `xlstm doctor`: which devices there are, and why others are not. */
export function addDoctorCommand(program: Command, context: Context): void {
  program
    .command('doctor')
    .description('List the devices of this machine with limits and features, and why absent ones are absent.')
    .option('--json', 'print one JSON object')
    .option('--debug', 'print where an error came from')
    .showHelpAfterError('(xlstm doctor --help lists the options)')
    .addHelpText(
      'after',
      `
Examples:
  $ xlstm doctor
  $ xlstm doctor --json > doctor.json            to attach to a bug report`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const report = await examine();
      await context.output.write(json ? `${JSON.stringify(report)}\n` : doctorText(report));
    });
}
