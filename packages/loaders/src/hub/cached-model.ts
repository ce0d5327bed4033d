import { type CheckpointFiles, ownedFiles } from '../checkpoint/checkpoint-files.ts';
import { INDEX_FILE, readWeightMap, SINGLE_FILE } from '../checkpoint/huggingface-layout.ts';
import type { BlobStore } from './blob-store.ts';
import { planFiles } from './model-files.ts';
import { isCommit, type ModelId } from './model-id.ts';

/** What the store has of a model, and what a checkpoint would still need. */
export interface CachedModel {
  readonly commit: string | undefined;
  readonly names: readonly string[];
  /** Empty when the checkpoint is whole. */
  readonly missing: readonly string[];
}

/** A snapshot's files, each opened when it is first asked for. */
export function storedFiles(store: BlobStore, commit: string, names: readonly string[]): CheckpointFiles {
  return ownedFiles(store.place, names, (name) => store.openFile(commit, name));
}

/** Looks a model up without asking any server. */
export async function cachedModel(
  store: BlobStore,
  { revision }: ModelId,
  signal: AbortSignal | undefined,
): Promise<CachedModel> {
  const commit = (await store.readRef(revision)) ?? (isCommit(revision) ? revision : undefined);
  const names = commit === undefined ? [] : await store.list(commit);
  if (commit === undefined || names.length === 0) {
    return { commit, names: [], missing: ['config.json', SINGLE_FILE] };
  }
  const plan = planFiles(names);
  if (!plan) {
    const lacking = [names.includes('config.json') ? [] : ['config.json'], [SINGLE_FILE]].flat();
    return { commit, names, missing: lacking.filter((name) => !names.includes(name)) };
  }
  const weights = plan.indexed ? await shardsOf(storedFiles(store, commit, names), signal) : plan.weights;
  return {
    commit,
    names: [...plan.small, ...weights].filter((name) => names.includes(name)),
    missing: weights.filter((name) => !names.includes(name)),
  };
}

/** The files that an index names. */
export async function shardsOf(files: CheckpointFiles, signal: AbortSignal | undefined): Promise<string[]> {
  try {
    return [...new Set((await readWeightMap(files, signal)).values())].sort();
  } finally {
    await (await files.open(INDEX_FILE)).close();
  }
}
