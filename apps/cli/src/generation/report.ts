import type { DeviceKind } from '@xlstm/device';
import type { FinishReason, GenerateTimings } from '@xlstm/xlstm-large';
import type { FloatDtype } from 'xlstm';

/** What `--json` prints. */
export interface GenerationReport {
  /** The checkpoint's folder. */
  model: string;
  device: { kind: DeviceKind; name: string; reason: string };
  dtype: FloatDtype;
  tokenizer: 'tokenizer.json' | 'bytes';
  seed: number;
  promptIds: readonly number[];
  ids: readonly number[];
  text: string;
  finishReason: FinishReason;
  timings: GenerateTimings & { loadMs: number };
}
