import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError, isQuantizedDtype } from '@xlstm/device';
import { bytesSource, fileSource, openCheckpoint, type QuantizationBlock } from '@xlstm/loaders';
import { Fingerprint } from '@xlstm/xlstm-large';
import { convertedConfig } from './config-file.ts';
import { convertShard } from './convert-shard.ts';
import { type RoomFor, requireRoom, writeFailure } from './disk-room.ts';
import { type FinishedShard, type Journal, lockFolder, removeJournal, writeJournal, writeWhole } from './journal.ts';
import { checkSame, prepareFolder } from './out-folder.ts';
import type { ConversionPlan, PlannedShard } from './plan.ts';
import { releaseAfter } from './release-after.ts';
import { copySmallFiles } from './small-files.ts';
import { type ConversionSource, sourceIdentity } from './source.ts';

/** How a conversion tells of itself. */
export interface ConversionEvents {
  onBytes(bytes: number): void;
  onShard(shard: FinishedShard, from: 'now' | 'before'): void | Promise<void>;
}

/** What a conversion ends with. */
export interface Conversion {
  shards: readonly FinishedShard[];
  /** Of the float model; null where a quantised one was multiplied out. */
  fingerprint: string | null;
  smallFiles: readonly string[];
}

async function isWhole(out: string, { file, bytes, sha256 }: FinishedShard, signal: AbortSignal): Promise<boolean> {
  const path = join(out, file);
  if ((await stat(path).catch(() => undefined))?.size !== bytes) return false;
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { signal, highWaterMark: 2 ** 20 }))
    hash.update(piece as Uint8Array);
  return hash.digest('hex') === sha256;
}

/** The shards of the journal that are still as they were finished. */
async function stillWhole(
  out: string,
  journal: Journal,
  { shards }: ConversionPlan,
  signal: AbortSignal,
): Promise<Map<string, FinishedShard>> {
  const found = new Map<string, FinishedShard>();
  const planned = new Set(shards.map(({ file }) => file));
  for (const shard of journal.shards) {
    if (planned.has(shard.file) && (await isWhole(out, shard, signal))) found.set(shard.file, shard);
  }
  return found;
}

/**
 * Converts a model into a folder, shard by shard: each is final once it has its name, and what is there is taken when the
 * same conversion is run again. `config.json` comes last.
 *
 * @throws InputOutputError for a full disk or a folder in use, CheckpointError for another conversion's folder or values
 *   that do not fit, `signal.reason` on abort; finished shards stay.
 */
export async function convertModel(
  source: ConversionSource,
  out: string,
  plan: ConversionPlan,
  events: ConversionEvents,
  signal: AbortSignal,
): Promise<Conversion> {
  const identity = await sourceIdentity(source.checkpoint, signal);
  const earlier = await prepareFolder(out);
  if (earlier) checkSame(earlier, identity, plan.options, out);
  return releaseAfter(await lockFolder(out), () => convertLocked(source, out, plan, events, signal, identity, earlier));
}

async function convertLocked(
  source: ConversionSource,
  out: string,
  plan: ConversionPlan,
  events: ConversionEvents,
  signal: AbortSignal,
  identity: string,
  earlier: Journal | undefined,
): Promise<Conversion> {
  const kept = earlier ? await stillWhole(out, earlier, plan, signal) : new Map<string, FinishedShard>();
  const place = (shard: PlannedShard | undefined): RoomFor => ({
    out,
    file: shard?.file ?? 'config.json',
    bytes: shard?.bytes ?? 0,
    finished: kept.size,
    shards: plan.shards.length,
  });
  let shard: PlannedShard | undefined;
  try {
    const journal: Journal = { source: identity, options: plan.options, shards: [...kept.values()] };
    await writeJournal(out, journal);
    for (const next of plan.shards) {
      shard = next;
      const before = kept.get(shard.file);
      if (before) {
        for (const { sourceBytes } of shard.weights) events.onBytes(sourceBytes);
        await events.onShard(before, 'before');
        continue;
      }
      const left = plan.shards.filter(({ file }) => !kept.has(file)).reduce((sum, { bytes }) => sum + bytes, 0);
      await requireRoom(place(shard), left);
      const fingerprint = fingerprintBefore(source, plan, kept, shard);
      const work = { source, group: plan.options.group, fingerprint, signal, onBytes: events.onBytes };
      const finished = await convertShard(out, shard, work);
      kept.set(shard.file, finished);
      const shards = plan.shards.flatMap(({ file }) => kept.get(file) ?? []);
      await writeJournal(out, { ...journal, shards });
      await events.onShard(finished, 'now');
    }
    shard = undefined;
    return await finish(source, out, plan, kept, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw await writeFailure(error, place(shard));
  }
}

/** Goes on from the shard before; a quantised model has lost the signs of small values and so its fingerprint. */
function fingerprintBefore(
  { checkpoint }: ConversionSource,
  { shards }: ConversionPlan,
  kept: ReadonlyMap<string, FinishedShard>,
  shard: PlannedShard,
): Fingerprint | undefined {
  if (checkpoint.quantization) return undefined;
  const before = shards[shards.indexOf(shard) - 1];
  return new Fingerprint(before ? (kept.get(before.file)?.fingerprint ?? undefined) : undefined);
}

async function finish(
  source: ConversionSource,
  out: string,
  plan: ConversionPlan,
  kept: ReadonlyMap<string, FinishedShard>,
  signal: AbortSignal,
): Promise<Conversion> {
  const shards = plan.shards.map(({ file }) => kept.get(file)!);
  const fingerprint = shards.at(-1)?.fingerprint ?? null;
  const { dtype, group } = plan.options;
  const block: QuantizationBlock | undefined =
    isQuantizedDtype(dtype) && fingerprint !== null ? { dtype, group, fingerprint } : undefined;
  const smallFiles = await copySmallFiles(source.files, out, signal);
  if (plan.index !== undefined) await writeWhole(out, 'model.safetensors.index.json', plan.index);
  const config = await convertedConfig(source.checkpoint, source.files, dtype, block);
  await checkResult(out, plan, config, signal);
  signal.throwIfAborted();
  await writeWhole(out, 'config.json', config);
  await removeJournal(out);
  return { shards, fingerprint, smallFiles };
}

/** Opens what was written as a model will be, its configuration still in memory. */
async function checkResult(out: string, plan: ConversionPlan, config: string, signal: AbortSignal): Promise<void> {
  const names = [...plan.shards.map(({ file }) => file), ...(plan.index ? ['model.safetensors.index.json'] : [])];
  const sources = await Promise.all(names.map((name) => fileSource(join(out, name))));
  try {
    const configSource = bytesSource(new TextEncoder().encode(config), 'config.json');
    const { tensors } = await openCheckpoint([...sources, configSource], { signal });
    for (const planned of plan.shards.flatMap(({ tensors: all }) => all)) {
      const found = tensors.get(planned.name);
      if (found?.dtype === planned.dtype && `${found.shape}` === `${planned.shape}`) continue;
      throw new CheckpointError(
        `convert: ${planned.name} must be ${planned.dtype} [${planned.shape}] in ${out}, got ${found ? `${found.dtype} [${found.shape}]` : 'no such tensor'}; another process writes there: remove the folder and convert again`,
      );
    }
  } finally {
    for (const each of sources) await each.close();
  }
}
