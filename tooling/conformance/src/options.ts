import { parseArgs } from 'node:util';
import { DEVICE_CHOICES, type DeviceKind, OptionError } from '@xlstm/device';

/** What `--device` names: a kind of device in this process, or WebGPU in a headless Chromium. */
export type DeviceName = DeviceKind | 'chromium';

/** What the command was asked to do. */
export interface ConformanceOptions {
  folder: string;
  /** The named devices; `undefined` for every one that is there. */
  devices: readonly DeviceName[] | undefined;
  /** Only cases whose path contains this. */
  filter: string | undefined;
  json: boolean;
}

/** Kinds of devices, the plainest first. */
export const DEVICE_KINDS: readonly DeviceKind[] = DEVICE_CHOICES.filter((choice) => choice !== 'auto').reverse();

/** Everything that `--device` takes. */
export const DEVICE_NAMES: readonly DeviceName[] = [...DEVICE_KINDS, 'chromium'];

/** What `--help` prints. */
export const HELP: string = `Usage: npm run conformance -- DIR [options]

Runs every golden case (a folder with case.json) in DIR or below it, and says for each expected tensor how far off it
is and what share of its budget that uses.

  --device NAME   ${DEVICE_NAMES.join(', ')}; repeat it or separate names by commas. Default: ${DEVICE_KINDS.join(' and ')}, where
                  they are there. chromium runs the same cases in a page of a headless Chromium with WebGPU
  --filter TEXT   only cases whose path contains TEXT
  --json          one JSON object a tensor, and {"passed":N,"failed":N,"notCovered":N} as the last line
  --help          this text

Tensors whose computation does not exist yet count as not covered, never as passed. The exit code is 1 when a tensor
fails, a kind of case is unknown, a named device is not there or nothing ran, and 2 when the command is misspelt.
`;

function deviceName(name: string): DeviceName {
  const found = DEVICE_NAMES.find((known) => known === name);
  if (!found) throw new OptionError(`--device: expected one of ${DEVICE_NAMES.join(', ')}, got "${name}"`);
  return found;
}

/** Reads the command line; `undefined` when it asks for help. @throws OptionError when it makes no sense. */
export function parseOptions(argv: readonly string[]): ConformanceOptions | undefined {
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        device: { type: 'string', multiple: true },
        filter: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    throw new OptionError((cause as Error).message, { cause });
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  const [folder] = positionals;
  if (folder === undefined || positionals.length > 1) {
    throw new OptionError(`expected one folder of golden cases, got ${positionals.length}`);
  }
  const names = (values.device as string[] | undefined)?.flatMap((value) => value.split(','));
  return {
    folder,
    devices: names && [...new Set(names.map((name) => deviceName(name.trim())))],
    filter: values.filter as string | undefined,
    json: values.json === true,
  };
}
