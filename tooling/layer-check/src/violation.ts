/** One thing that is wrong, where it is, and what to do about it. */
export interface Violation {
  /** Relative to the repository, with forward slashes. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

/** `file:line: message`, which editors and terminals turn into a link. */
export function formatViolation({ file, line, message }: Violation): string {
  return `${file}:${line}: ${message}`;
}
