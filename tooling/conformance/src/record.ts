/** What came of an expected output: compared and within its budget, compared and not, or not computed yet. */
export type Status = 'passed' | 'failed' | 'notCovered';

/** How far one output is from what was expected. */
export interface Measurement {
  pass: boolean;
  relativeRms: number;
  maxError: number;
  /** The share of its budget that was used; 1 is all of it. */
  share: number;
  /** What else there is to say: where the worst element is, or why it passes although it differs. */
  message?: string;
}

/** One line of the report: one expected output of one case on one device. */
export interface Result {
  case: string;
  kind: string;
  /** `host` where no device takes part. */
  device: string;
  /** The tensor's name, with the form of the computation where there are several. */
  tensor: string;
  status: Status;
  relativeRms: number | null;
  maxError: number | null;
  share: number | null;
  message?: string;
}

/** Results by their status. */
export interface Counts {
  passed: number;
  failed: number;
  notCovered: number;
}

/** Counts results. */
export function countResults(results: readonly Result[]): Counts {
  const counts: Counts = { passed: 0, failed: 0, notCovered: 0 };
  for (const { status } of results) counts[status]++;
  return counts;
}

/** The first line of what an error says. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? '';
}
