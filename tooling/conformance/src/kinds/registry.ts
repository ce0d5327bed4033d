import type { KindOfCase } from '../job.ts';
import { huggingFaceCheckpoint } from './huggingface-checkpoint.ts';
import { mlstmCell } from './mlstm.ts';
import { slstmCell } from './slstm.ts';
import { tokenizerCase } from './tokenizer.ts';
import { training } from './training.ts';
import { xlstmBlockStack, xlstmLmModel } from './xlstm-core.ts';
import { xlstmLarge } from './xlstm-large.ts';

/** The kinds that `case.json` may name. Any other is a failure, so that none is passed over in silence. */
export const KINDS: Readonly<Record<string, KindOfCase>> = {
  mlstm: mlstmCell,
  xLSTMLarge: xlstmLarge,
  'huggingface-checkpoint': huggingFaceCheckpoint,
  tokenizer: tokenizerCase,
  slstm: slstmCell,
  xLSTMBlockStack: xlstmBlockStack,
  xLSTMLMModel: xlstmLmModel,
  training,
};
