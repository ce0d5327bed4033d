import type { Device } from '@xlstm/device';

/** One measured line. */
export interface BenchResult {
  name: string;
  device: string;
  /** The form of a kernel; whole-model benches leave it out. */
  variant?: string;
  /** Median over repetitions, of one launch (or of what the name says). */
  microseconds: number;
  gigabytesPerSecond?: number;
  gigaflopsPerSecond?: number;
  /** What else this bench has to say, such as `{ 'tokens/s': 120, dispatches: 163 }`. */
  columns?: Readonly<Record<string, number | string>>;
}

/**
 * The default export of a `*.bench.ts` file: checks that its subject is right, then times it. What cannot be run on
 * a device is handed to `skip` with the reason.
 */
export interface Bench {
  id: string;
  run: (
    device: Device,
    report: (result: BenchResult) => void,
    skip: (name: string, reason: string) => void,
  ) => Promise<void>;
}
