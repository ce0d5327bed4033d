import { hasHuggingFaceWeights, INDEX_FILE, SINGLE_FILE } from '../checkpoint/huggingface-layout.ts';
import { hasNativeWeights, NATIVE_CONFIG, NUMBERED } from '../checkpoint/native-layout.ts';

/** What stands beside the weights and is small; taken where it is there. */
export const COMPANIONS: readonly string[] = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
];

/** The files that a checkpoint needs of those that are there; with `indexed`, the index tells the weights. */
export interface FilePlan {
  /** Configuration, tokenizer and, where weights are sharded, their index. */
  readonly small: readonly string[];
  readonly weights: readonly string[];
  readonly indexed: boolean;
}

/** Chooses as `openCheckpoint` reads; undefined where there is no checkpoint. */
export function planFiles(names: readonly string[]): FilePlan | undefined {
  const companions = COMPANIONS.filter((name) => names.includes(name));
  if (names.includes('config.json') && hasHuggingFaceWeights(names)) {
    const small = ['config.json', ...companions];
    if (names.includes(SINGLE_FILE)) return { small, weights: [SINGLE_FILE], indexed: false };
    return { small: [...small, INDEX_FILE], weights: [], indexed: true };
  }
  if (names.includes(NATIVE_CONFIG) && hasNativeWeights(names)) {
    return {
      small: [NATIVE_CONFIG, ...companions],
      weights: names.filter((name) => NUMBERED.test(name)),
      indexed: false,
    };
  }
  return undefined;
}
