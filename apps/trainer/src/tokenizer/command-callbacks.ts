/** What a command needs of its caller. */
export interface CommandCallbacks {
  /** Text for the user, whole lines. */
  readonly write: (text: string) => void;
  /** `fraction` (0…1) of what `label` names; called often. */
  readonly onProgress?: ((label: string, fraction: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}
