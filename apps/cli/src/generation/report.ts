import type { DeviceKind } from '@xlstm/device';
import type { FinishReason, GenerateTimings, TokenLogprobs } from '@xlstm/xlstm-large';
import type { WeightDtype } from 'xlstm';

/** What `--json` prints. */
export interface GenerationReport {
  /** As `--model` named it; the built-in one's folder. */
  model: string;
  device: { kind: DeviceKind; name: string; reason: string };
  dtype: WeightDtype;
  tokenizer: 'tokenizer.json' | 'bytes';
  seed: number;
  promptIds: readonly number[];
  ids: readonly number[];
  text: string;
  /** One entry per id, where `--logprobs` asked for them. */
  logprobs?: readonly TokenLogprobs[];
  /** Tokens that the model has read: those before `--state-in`, of the prompt, and new ones. */
  position: number;
  finishReason: FinishReason;
  timings: GenerateTimings & { loadMs: number };
}
