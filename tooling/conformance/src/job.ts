import type { Device } from '@xlstm/device';
import type { CaseFields, CaseFiles } from './golden-case.ts';
import type { GoldenTensors } from './golden-tensors.ts';
import { failure } from './measure.ts';
import { type Measurement, messageOf, type Result } from './record.ts';

/** What a kind of case is given to work on, without a device. */
export interface CaseInput {
  name: string;
  kind: string;
  files: CaseFiles;
  fields: CaseFields;
}

/** One case on one device (or on the host), and the results so far. */
export class Job {
  readonly input: CaseInput;
  readonly device: string;
  readonly results: Result[] = [];

  constructor(input: CaseInput, device: string) {
    this.input = input;
    this.device = device;
  }

  /** Reports an output that was compared. */
  report(tensor: string, measured: Measurement): void {
    const { pass, relativeRms, maxError, share, message } = measured;
    this.#add(tensor, pass ? 'passed' : 'failed', { relativeRms, maxError, share }, message);
  }

  /** Reports an output whose computation does not exist yet, or cannot be done here. */
  notCovered(tensor: string, message?: string): void {
    this.#add(tensor, 'notCovered', undefined, message);
  }

  /** Runs `body`; if it throws, every one of `tensors` that it did not report has failed. */
  async attempt(tensors: readonly string[], body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      const message = messageOf(error);
      for (const tensor of tensors) if (!this.has(tensor)) this.report(tensor, failure(message));
    }
  }

  has(tensor: string): boolean {
    return this.results.some((result) => result.tensor === tensor);
  }

  #add(
    tensor: string,
    status: Result['status'],
    measured: Pick<Measurement, 'relativeRms' | 'maxError' | 'share'> | undefined,
    message: string | undefined,
  ): void {
    this.results.push({
      case: this.input.name,
      kind: this.input.kind,
      device: this.device,
      tensor,
      status,
      relativeRms: measured?.relativeRms ?? null,
      maxError: measured?.maxError ?? null,
      share: measured?.share ?? null,
      ...(message === undefined ? {} : { message }),
    });
  }
}

/** A kind of case whose tensors a device computes. */
export interface DeviceKindOfCase {
  runsOn: 'device';
  /** Which tensors of the file are given. Every other one is an expected output. */
  isInput(name: string): boolean;
  /** Computes what it can and reports it under the tensor's name, or the name and a form in parentheses. */
  run(job: Job, device: Device, tensors: GoldenTensors): Promise<void>;
}

/** A kind of case that needs no device; it runs once. */
export interface HostKindOfCase {
  runsOn: 'host';
  run(job: Job): Promise<void>;
}

/** A kind of case, as `case.json` names it. */
export type KindOfCase = DeviceKindOfCase | HostKindOfCase;
