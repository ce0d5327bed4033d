/** What happens to a file on its way, in transformers.js' words. */
export type TransferProgress =
  | { readonly status: 'initiate' | 'download'; readonly name: string; readonly file: string }
  | {
      readonly status: 'progress';
      readonly name: string;
      readonly file: string;
      /** Percent; 0 while the total is unknown. */
      readonly progress: number;
      readonly loaded: number;
      readonly total: number;
    }
  | { readonly status: 'done'; readonly name: string; readonly file: string }
  | { readonly status: 'ready'; readonly name: string };

export type OnTransferProgress = (progress: TransferProgress) => void;

const INTERVAL_MS = 50;

/** Tells of bytes that arrive, at most every so often, and of the last ones always. */
export function byteReporter(
  onProgress: OnTransferProgress | undefined,
  name: string,
  file: string,
  total: number | undefined,
): (loaded: number) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (loaded) => {
    const now = performance.now();
    if (!onProgress || (now - last < INTERVAL_MS && loaded !== total)) return;
    last = now;
    const progress = total ? (100 * loaded) / total : 0;
    onProgress({ status: 'progress', name, file, progress, loaded, total: total ?? 0 });
  };
}
