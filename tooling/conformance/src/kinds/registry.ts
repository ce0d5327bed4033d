import type { DeviceKindOfCase, KindOfCase } from '../job.ts';
import { huggingFaceCheckpoint } from './huggingface-checkpoint.ts';
import { mlstmCell } from './mlstm.ts';
import { slstmCell } from './slstm.ts';
import { tokenizerCase } from './tokenizer.ts';
import { xlstmLarge } from './xlstm-large.ts';

/** A kind whose computation does not exist yet: all of its expected outputs are reported as not covered. */
function withoutComputation(isInput: (name: string) => boolean): DeviceKindOfCase {
  return { runsOn: 'device', isInput, run: async () => {} };
}

const startsWithOneOf =
  (...prefixes: readonly string[]) =>
  (name: string): boolean =>
    prefixes.some((prefix) => name === prefix || (prefix.endsWith('.') && name.startsWith(prefix)));

/** The kinds that `case.json` may name. Any other is a failure, so that none is passed over in silence. */
export const KINDS: Readonly<Record<string, KindOfCase>> = {
  mlstm: mlstmCell,
  xLSTMLarge: xlstmLarge,
  'huggingface-checkpoint': huggingFaceCheckpoint,
  tokenizer: tokenizerCase,
  slstm: slstmCell,
  xLSTMBlockStack: withoutComputation(startsWithOneOf('x', 'dy', 'param.')),
  xLSTMLMModel: withoutComputation(startsWithOneOf('tokens', 'targets', 'param.')),
  training: withoutComputation(startsWithOneOf('sequences', 'init.')),
};
