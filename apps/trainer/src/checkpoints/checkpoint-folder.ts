import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError, NumericsError } from '@xlstm/device';
import { fileSource, loadTensor, openSafetensors, writeSafetensors } from '@xlstm/loaders';
import type { AdamWState } from '@xlstm/tensor';
import type { HostTensor } from '../training/trainable-model.ts';

const VERSION = 1;
const WEIGHTS = 'weights.safetensors';
const OPTIMIZER = 'optimizer.safetensors';
const CARRIED = 'carried.safetensors';
const TRAINER = 'trainer.json';
const STEP = /^step-(\d+)$/;

/** What a run must have in common with the checkpoint that it goes on from. */
export interface RunIdentity {
  model: Readonly<Record<string, unknown>>;
  tokenizer: string;
  data: string;
}

/** A moment of a run, complete: training goes on from it as if it had never stopped. */
export interface Checkpoint {
  step: number;
  identity: RunIdentity;
  /** Position of the training data. */
  position: unknown;
  /** Best validation loss so far. */
  best: number | undefined;
  /** Tokens trained on so far. */
  tokens: number;
  weights: readonly HostTensor[];
  optimizer: AdamWState;
  /** Carried states of each micro batch. */
  carried: readonly (readonly HostTensor[])[];
  /** The device that it was made on; absent in old ones. */
  device?: { kind: string; name: string; precision?: string } | undefined;
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function named(tensors: readonly HostTensor[]) {
  return tensors.map(({ name, shape, data }) => ({ name, shape, data, dtype: 'F32' as const }));
}

function moments(state: AdamWState): HostTensor[] {
  const of = (prefix: string, map: ReadonlyMap<string, Float32Array>) =>
    [...map].map(([name, data]) => ({ name: `${prefix}.${name}`, shape: [data.length], data }));
  return [...of('first', state.firstMoments), ...of('second', state.secondMoments)];
}

function requireFinite({ step, weights, optimizer, carried }: Checkpoint): void {
  for (const { name, data } of [...weights, ...moments(optimizer), ...carried.flat()]) {
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at < 0) continue;
    throw new NumericsError(
      `checkpoint: step ${step} is not written: "${name}" is not finite (element ${at} is ${data[at]}); lower optimizer.lr or train.max_norm`,
    );
  }
}

/** Where the checkpoints of a run lie. */
export function checkpointsFolder(outDir: string): string {
  return join(outDir, 'checkpoints');
}

/**
 * Writes a checkpoint as a folder `step-N`: whole or not at all. Everything goes to a temporary name, is synced and
 * renamed; what a broken attempt left is removed at the next.
 *
 * @throws CheckpointError when the disk refuses, NumericsError that names the first tensor that is not finite; earlier
 * checkpoints are as they were.
 */
export async function saveCheckpoint(outDir: string, checkpoint: Checkpoint): Promise<string> {
  requireFinite(checkpoint);
  const folder = join(checkpointsFolder(outDir), `step-${String(checkpoint.step).padStart(8, '0')}`);
  const temporary = `${folder}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(folder), { recursive: true });
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    await writeSafetensors(join(temporary, WEIGHTS), named(checkpoint.weights));
    await writeSafetensors(join(temporary, OPTIMIZER), named(moments(checkpoint.optimizer)));
    const carried = checkpoint.carried.flatMap((tensors, micro) =>
      tensors.map((tensor) => ({ ...tensor, name: `${micro}.${tensor.name}` })),
    );
    await writeSafetensors(join(temporary, CARRIED), named(carried));
    const { step, identity, position, best, tokens, device } = checkpoint;
    const trainer = {
      version: VERSION,
      step,
      identity,
      position,
      best,
      tokens,
      device,
      optimizerStep: checkpoint.optimizer.step,
    };
    await writeFile(join(temporary, TRAINER), `${JSON.stringify(trainer, null, 2)}\n`);
    await syncPath(join(temporary, TRAINER));
    await syncPath(temporary);
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
    await syncPath(dirname(folder));
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw new CheckpointError(
      `checkpoint: step ${checkpoint.step} cannot be written to ${folder}: ${(cause as Error).message}; earlier ones are as they were; make room or choose another out_dir`,
      { cause },
    );
  }
  return folder;
}

/** Whole checkpoints of a run, the oldest first. */
export async function listCheckpoints(outDir: string): Promise<{ step: number; folder: string }[]> {
  const root = checkpointsFolder(outDir);
  const names = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new CheckpointError(`resume: cannot read ${root}: ${error.message}; check its permissions`, { cause: error });
  });
  return names
    .flatMap((name) => {
      const step = STEP.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), folder: join(root, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

/** Removes all but the last `keep` checkpoints, and what broken attempts left. */
export async function pruneCheckpoints(outDir: string, keep: number): Promise<void> {
  const all = await listCheckpoints(outDir);
  for (const { folder } of all.slice(0, Math.max(0, all.length - keep))) await rm(folder, { recursive: true });
  const names = await readdir(checkpointsFolder(outDir)).catch(() => []);
  for (const name of names) {
    if (name.endsWith('.tmp')) await rm(join(checkpointsFolder(outDir), name), { recursive: true, force: true });
  }
}

/** Removes every checkpoint of a run, so that one that starts over neither goes on from them nor makes room for them. */
export async function removeCheckpoints(outDir: string): Promise<void> {
  try {
    await rm(checkpointsFolder(outDir), { recursive: true, force: true });
  } catch (cause) {
    throw new CheckpointError(
      `train: cannot remove the checkpoints in ${outDir} to start over: ${(cause as Error).message}; choose another out_dir`,
      { cause },
    );
  }
}

async function readTensors(path: string): Promise<HostTensor[]> {
  try {
    const source = await fileSource(path);
    try {
      const file = await openSafetensors(source);
      const tensors: HostTensor[] = [];
      for (const [name, info] of file.tensors) {
        tensors.push({ name, shape: info.shape, data: await loadTensor(info, 'fp32') });
      }
      return tensors;
    } finally {
      await source.close();
    }
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function damaged(path: string, cause: unknown): CheckpointError {
  return new CheckpointError(
    `resume: ${path} cannot be read: ${(cause as Error).message}; the checkpoint is damaged, remove ${dirname(path)} to resume from the one before`,
    { cause },
  );
}

/**
 * Reads a checkpoint folder.
 *
 * @throws CheckpointError when a file is missing, damaged or of another version.
 */
export async function loadCheckpoint(folder: string): Promise<Checkpoint> {
  await stat(folder).catch((cause: unknown) => {
    throw new CheckpointError(`resume: ${folder} is not there; name a checkpoint of this run`, { cause });
  });
  let trainer: {
    version: number;
    step: number;
    identity: RunIdentity;
    position: unknown;
    best?: number;
    tokens: number;
    device?: { kind: string; name: string; precision?: string };
    optimizerStep: number;
  };
  try {
    trainer = JSON.parse(await readFile(join(folder, TRAINER), 'utf8'));
  } catch (cause) {
    throw damaged(join(folder, TRAINER), cause);
  }
  if (trainer.version !== VERSION) {
    throw new CheckpointError(
      `resume: ${basename(folder)} is of version ${trainer.version}, this trainer reads ${VERSION}`,
    );
  }
  const first = new Map<string, Float32Array>();
  const second = new Map<string, Float32Array>();
  for (const { name, data } of await readTensors(join(folder, OPTIMIZER))) {
    const [kind, ...rest] = name.split('.');
    (kind === 'first' ? first : second).set(rest.join('.'), data);
  }
  const carried: HostTensor[][] = [];
  for (const tensor of await readTensors(join(folder, CARRIED))) {
    const [micro, ...rest] = tensor.name.split('.');
    carried[Number(micro)] ??= [];
    carried[Number(micro)]!.push({ ...tensor, name: rest.join('.') });
  }
  return {
    step: trainer.step,
    identity: trainer.identity,
    position: trainer.position,
    best: trainer.best,
    tokens: trainer.tokens,
    weights: await readTensors(join(folder, WEIGHTS)),
    optimizer: { step: trainer.optimizerStep, firstMoments: first, secondMoments: second },
    carried,
    device: trainer.device,
  };
}

/** In what two runs differ, in words; empty when one may go on from the other. */
export function identityDifferences(checkpoint: RunIdentity, run: RunIdentity): string[] {
  const differences: string[] = [];
  const [a, b] = [JSON.stringify(sorted(checkpoint.model)), JSON.stringify(sorted(run.model))];
  if (a !== b) differences.push(`model (${a} then, ${b} now)`);
  if (checkpoint.tokenizer !== run.tokenizer) differences.push('tokenizer');
  if (checkpoint.data !== run.data) differences.push('training data');
  return differences;
}

function sorted(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
}
