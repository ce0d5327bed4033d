/** What a failed call says, without its stack. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
