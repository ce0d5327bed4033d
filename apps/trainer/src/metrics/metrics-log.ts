import { appendFile, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '@xlstm/device';

/** What is known of one step; evaluations and samples stand in the step that they followed. */
export interface StepMetrics {
  step: number;
  loss: number;
  lr: number;
  gradientNorm: number;
  tokensPerSecond: number;
  /** Tokens trained on so far. */
  tokens: number;
  /** The kind of device, in the first step of a run and in the first after each resume. */
  device?: string;
  /** Of products, beside the device. */
  precision?: string;
  validationLoss?: number;
  accuracy?: Readonly<Record<string, number>>;
  samples?: readonly { prompt: string; text: string }[];
}

const FILE = 'metrics.jsonl';

/** Where a run's metrics lie: one JSON object a line. */
export function metricsPath(outDir: string): string {
  return join(outDir, FILE);
}

/** Every whole line of a run's metrics; what a kill cut off is left out. */
export async function readMetrics(outDir: string): Promise<StepMetrics[]> {
  const text = await readFile(metricsPath(outDir), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as StepMetrics];
    } catch {
      return [];
    }
  });
}

/** Appends metrics, step by step. */
export class MetricsLog {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Opens a run's log to go on after `step`: lines of later steps, which will come again, are dropped. */
  static async open(outDir: string, step: number): Promise<MetricsLog> {
    const path = metricsPath(outDir);
    const kept = (await readMetrics(outDir)).filter((line) => line.step <= step);
    const temporary = `${path}.tmp`;
    try {
      const handle = await open(temporary, 'w');
      await handle.writeFile(kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await handle.sync();
      await handle.close();
      await rename(temporary, path);
    } catch (cause) {
      throw new CheckpointError(`train: cannot write ${path}: ${(cause as Error).message}; choose another out_dir`, {
        cause,
      });
    }
    return new MetricsLog(path);
  }

  async add(metrics: StepMetrics): Promise<void> {
    try {
      await appendFile(this.#path, `${JSON.stringify(metrics)}\n`);
    } catch (cause) {
      throw new CheckpointError(
        `train: cannot write ${this.#path}: ${(cause as Error).message}; the last checkpoint is whole, make room and resume`,
        { cause },
      );
    }
  }
}
