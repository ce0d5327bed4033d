import { parseArgs } from 'node:util';
import { DEVICE_CHOICES, type DeviceChoice, OptionError } from '@xlstm/device';

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  /** Part of a bench's id or path; undefined for all. */
  filter: string | undefined;
  device: DeviceChoice;
  json: boolean;
  /** Dawn's toggles; a minus before one turns it off. */
  toggles: readonly string[];
  /** Write a file for another machine instead of running. */
  bundle: string | undefined;
  help: boolean;
}

export const HELP: string = `npm run bench -- [FILTER] [--device NAME] [--json]
npm run bench -- [FILTER] --bundle FILE

Times kernels and models: every packages/*/src/**/*.bench.ts whose path contains FILTER. Each form of a kernel
is checked first, and timed only if it is right. Shares are of this device's own ceilings, measured first.

  --device NAME   ${DEVICE_CHOICES.join(', ')} (default auto)
  --toggles A,-B  Dawn's toggles for WebGPU in Node: A on, B off
  --json          one JSON object a line instead of the table
  --bundle FILE   write one self-contained .mjs file, which runs on another machine with: node FILE [same flags];
                  for WebGPU, the package "webgpu" must be installed beside it
  --help          this text
`;

function isDeviceChoice(name: string): name is DeviceChoice {
  return (DEVICE_CHOICES as readonly string[]).includes(name);
}

/**
 * Reads the command line.
 * @throws OptionError for an unknown option or device, or more than one filter.
 */
export function parseOptions(argv: readonly string[]): BenchOptions {
  let parsed: ReturnType<typeof read>;
  try {
    parsed = read(argv);
  } catch (cause) {
    throw new OptionError(`bench: ${cause instanceof Error ? cause.message : String(cause)}; see --help`, { cause });
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) {
    throw new OptionError(`bench: expected one filter, got ${positionals.map((word) => `"${word}"`).join(' and ')}`);
  }
  const device = values.device ?? 'auto';
  if (!isDeviceChoice(device)) {
    throw new OptionError(`bench: --device must be one of ${DEVICE_CHOICES.join(', ')}, got "${device}"`);
  }
  return {
    filter: positionals[0],
    device,
    json: values.json ?? false,
    toggles: values.toggles?.split(',').filter((toggle) => toggle !== '') ?? [],
    bundle: values.bundle,
    help: values.help ?? false,
  };
}

function read(argv: readonly string[]): {
  values: { device?: string; json?: boolean; toggles?: string; bundle?: string; help?: boolean };
  positionals: string[];
} {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      device: { type: 'string' },
      json: { type: 'boolean' },
      toggles: { type: 'string' },
      bundle: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}
