import type { BatchSource } from '../data/batch-source.ts';
import type { Engine } from '../training/engine.ts';
import type { Evaluation } from '../training/train.ts';
import type { RunTokenizer } from './prepare-tokenizer.ts';

/** Where the data of a run comes from, text or task alike. */
export interface RunSource {
  /** Absent for a task, whose tokens are no text. */
  tokenizer: RunTokenizer | undefined;
  vocabSize: number;
  source: BatchSource;
  fingerprint: string;
  describe: string;
  /** Has the engine allocate what `evaluate` needs besides the loss. */
  prepareEvaluation: (engine: Engine) => void;
  evaluate: (engine: Engine) => Promise<Evaluation>;
  close(): Promise<void>;
}
