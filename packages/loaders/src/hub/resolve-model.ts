import { OptionError } from '@xlstm/device';
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.ts';
import { INDEX_FILE } from '../checkpoint/huggingface-layout.ts';
import { nodeModules } from '../node/node-modules.ts';
import { linkedSignal } from '../transfer/linked-signal.ts';
import { reason } from '../transfer/reason.ts';
import type { Connection } from '../transfer/request.ts';
import { retryPolicy } from '../transfer/retry.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { type CachedModel, cachedModel, shardsOf, storedFiles } from './cached-model.ts';
import { type Delivery, fetchFile, isStored, type NamedBlob } from './fetch-file.ts';
import { fileUrl, type Hub, listModel, type ModelListing, withBlob } from './hub-api.ts';
import { type HubOptions, hasFileSystem, hubSettings } from './hub-settings.ts';
import { planFiles } from './model-files.ts';
import { type ModelId, modelId, modelOfPage } from './model-id.ts';
import { openStore } from './open-store.ts';
import type { OnTransferProgress } from './progress.ts';
import { remoteFiles, webFolder } from './remote-files.ts';

export interface ResolveModelOptions extends HubOptions {
  /** A branch, a tag or a commit; `main` unless given. Only for hub models. */
  readonly revision?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnTransferProgress | undefined;
  /** What is cached is believed by its size; with `hash` it is read and hashed too. */
  readonly verify?: 'size' | 'hash' | undefined;
  /**
   * With `false` nothing is written: the files are read over the network by ranges, to look at headers first, or from the
   * cache where that is whole and the hub does not answer.
   */
  readonly download?: boolean | undefined;
}

/** Files ready for `openCheckpoint`, and where they come from. */
export interface ResolvedModel extends CheckpointFiles {
  /** The hub id; undefined for folders and addresses. */
  readonly id: string | undefined;
  /** The commit that the revision stands for. */
  readonly commit: string | undefined;
  /** Why the cache was taken without asking the hub: offline, or how it failed. */
  readonly fromCacheBecause: string | undefined;
}

/** Files on their way at once. */
const AT_ONCE = 4;

/** How long a hub may take to begin its answer when the cache could serve without it. */
const PATIENCE_WITH_CACHE_MS = 3000;

/**
 * Finds a model by hub id, address or folder, downloads what a checkpoint needs of it, and gives the files for
 * `openCheckpoint`. Downloads resume after a cut or an abort, are verified, and appear in the cache only when whole.
 * In Node the cache is the one of Python's huggingface_hub; in a browser the page's private files. An address that is
 * not the hub's is read by ranges and not kept.
 *
 * @param source `ORG/NAME`, a page of the hub, the address of a folder on a web server, or (Node) a folder, which comes
 * first where a name is both.
 * @throws OptionError for an id, revision or option that cannot be; TransferError with a `code` that tells unknown ids,
 * gated models, wrong revisions, missing files offline, read-only or full caches, damaged transfers; `signal.reason`.
 * @example
 * const files = await resolveModel('NX-AI/xLSTM-7b', { onProgress: (event) => console.log(event) });
 * await using checkpoint = await openCheckpoint(files);
 */
export async function resolveModel(source: string, options: ResolveModelOptions = {}): Promise<ResolvedModel> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  checkOptions(source, options);
  const folder = await localFolder(source);
  if (folder) return resolved(folder, {});
  const settings = await hubSettings(options);
  const policy = retryPolicy('resolveModel', options.retry);
  const fetch = options.fetch ?? globalThis.fetch;
  const url = /^https?:\/\//i.test(source) && URL.canParse(source) ? new URL(source) : undefined;
  const model = url ? modelOfPage(url, settings.endpoint, options.revision) : modelId(source, options.revision);
  if (url && !model) {
    if (settings.offline) {
      throw new TransferError('offline', `resolveModel: ${hostAndPath(url)} is not cached, and offline was asked for`);
    }
    return resolved(await webFolder(url, { fetch, headers: {}, policy }, signal), {});
  }
  if (!model) throw new OptionError(`resolveModel: ${JSON.stringify(source)} names no model`);
  const headers: Record<string, string> = settings.token ? { authorization: `Bearer ${settings.token}` } : {};
  const connection: Connection = { fetch, headers, policy };
  const hub: Hub = { endpoint: settings.endpoint, hasToken: settings.token !== undefined, connection };
  const result = settings.offline ? await fromCache(model, options, 'offline') : await fromHub(hub, model, options);
  onProgress?.({ status: 'ready', name: model.id });
  return result;
}

function checkOptions(source: unknown, { verify, onProgress }: ResolveModelOptions): void {
  if (typeof source !== 'string' || source === '') {
    throw new OptionError(`resolveModel: expected a hub id, an address or a folder, got ${String(source)}`);
  }
  if (verify !== undefined && verify !== 'size' && verify !== 'hash') {
    throw new OptionError(`resolveModel: verify must be size or hash, got ${String(verify)}`);
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new OptionError(`resolveModel: onProgress must be a function, got ${String(onProgress)}`);
  }
}

function resolved(
  files: CheckpointFiles,
  from: { id?: string; commit?: string; fromCacheBecause?: string },
): ResolvedModel {
  const { place, names } = files;
  return {
    place,
    names,
    open: (name) => files.open(name),
    close: () => files.close(),
    id: from.id,
    commit: from.commit,
    fromCacheBecause: from.fromCacheBecause,
  };
}

async function localFolder(source: string): Promise<CheckpointFiles | undefined> {
  if (!hasFileSystem() || /^https?:\/\//i.test(source)) return undefined;
  const { fs, path } = nodeModules('resolveModel');
  const found = await fs.stat(source).catch(() => undefined);
  // What can only be a path is one, so that a mistyped path is not looked for on the hub.
  const mustBe = path.isAbsolute(source) || /^\.{0,2}[\\/]|^\.{1,2}$/.test(source);
  if (!mustBe && !found?.isDirectory()) return undefined;
  return (await import('../node/folder-files.ts')).folderFiles(source);
}

async function fromHub(hub: Hub, model: ModelId, options: ResolveModelOptions): Promise<ResolvedModel> {
  const { signal } = options;
  let listing: ModelListing;
  try {
    listing = await listModel(await withPatience(hub, model, options), model, signal);
  } catch (error) {
    const passing = error instanceof TransferError && (error.code === 'network' || error.code === 'busy');
    if (!passing) throw error;
    return fromCache(model, options, error);
  }
  if (options.download === false) return streamed(hub, model, listing, signal);
  const store = await openStore(model.id, options);
  const { commit } = listing;
  const { verify = 'size', onProgress } = options;
  const delivery: Delivery = { hub, store, model, commit, verify, onProgress };
  const plan = checkedPlan(model, listing, hub);
  const small = await described(delivery, listing, plan.small, signal);
  const early = await described(delivery, listing, plan.weights, signal);
  await makeSureItFits(delivery, [...small, ...early], signal);
  await fetchAll(delivery, small, signal);
  let weights = early;
  if (plan.indexed) {
    const names = await shardsOf(storedFiles(store, commit, [INDEX_FILE]), signal);
    weights = await described(delivery, listing, names, signal);
    await makeSureItFits(delivery, weights, signal);
  }
  await fetchAll(delivery, weights, signal);
  await noteRevision(delivery);
  const names = [...small, ...weights].map(({ name }) => name);
  return resolved(storedFiles(store, commit, names), { id: model.id, commit });
}

/** Where the cache has the whole model, one try is enough, unless the caller says how often and how long. */
async function withPatience(hub: Hub, model: ModelId, options: ResolveModelOptions): Promise<Hub> {
  if (!(await isKept(model, options))) return hub;
  const { retries = 0, idleTimeoutMs = PATIENCE_WITH_CACHE_MS } = options.retry ?? {};
  const policy = { ...hub.connection.policy, retries, idleTimeoutMs };
  return { ...hub, connection: { ...hub.connection, policy } };
}

async function isKept(model: ModelId, options: ResolveModelOptions): Promise<boolean> {
  try {
    const store = await openStore(model.id, options);
    return (await cachedModel(store, model, options.signal)).missing.length === 0;
  } catch {
    options.signal?.throwIfAborted();
    // A cache that cannot be read, a damaged index for one, does not serve; the download tells or heals it.
    return false;
  }
}

function checkedPlan(model: ModelId, listing: ModelListing, hub: Hub): NonNullable<ReturnType<typeof planFiles>> {
  const names = [...listing.files.keys()];
  const plan = planFiles(names);
  if (plan) return plan;
  throw new TransferError(
    'not-found',
    `resolveModel: ${model.id} at ${model.revision} holds no checkpoint of safetensors with its config, ${names.length > 0 ? `only ${names.slice(0, 20).join(', ')}` : 'and no files at all'}; see ${hub.endpoint}/${model.id}/tree/${listing.commit}`,
  );
}

/** The files with their hashes; one that an index names and the repository lacks is an error before any download. */
async function described(
  { hub, model, commit }: Delivery,
  listing: ModelListing,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<NamedBlob[]> {
  const files: NamedBlob[] = [];
  for (const name of names) {
    const file = listing.files.get(name);
    if (!file) {
      throw new TransferError(
        'not-found',
        `resolveModel: ${model.id} at ${model.revision} lacks ${name}, though its index names it; tell its author`,
      );
    }
    files.push(await withBlob(hub, model, commit, file, signal));
  }
  return files;
}

async function makeSureItFits(
  delivery: Delivery,
  files: readonly NamedBlob[],
  signal: AbortSignal | undefined,
): Promise<void> {
  let bytes = 0;
  for (const file of files) {
    if (file.size === undefined || (await isStored({ ...delivery, verify: 'size' }, file, signal))) continue;
    bytes += Math.max(0, file.size - (await delivery.store.partialSize(file.blob)));
  }
  if (bytes > 0) await delivery.store.checkRoom(bytes);
}

/** A few at once; the first failure stops the others, whose bytes stay for the next time. */
async function fetchAll(
  delivery: Delivery,
  files: readonly NamedBlob[],
  outer: AbortSignal | undefined,
): Promise<void> {
  const controller = new AbortController();
  const { signal, unlink } = linkedSignal(outer, controller.signal);
  const waiting = [...files];
  let failure: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file; file = waiting.shift()) await fetchFile(delivery, file, signal);
  };
  const stopping = (error: unknown): void => {
    failure ??= { error };
    controller.abort(error);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, files.length) }, () => worker().catch(stopping)));
  unlink();
  outer?.throwIfAborted();
  if (failure) throw failure.error;
}

async function noteRevision({ store, model, commit }: Delivery): Promise<void> {
  if (model.revision === commit) return;
  try {
    await store.writeRef(model.revision, commit);
  } catch (error) {
    // A cache that someone else fills and we only read is complete without it.
    if (!(error instanceof TransferError && error.code === 'read-only')) throw error;
  }
}

async function streamed(
  hub: Hub,
  model: ModelId,
  listing: ModelListing,
  signal: AbortSignal | undefined,
): Promise<ResolvedModel> {
  const { commit } = listing;
  const plan = checkedPlan(model, listing, hub);
  const open = (names: readonly string[]): CheckpointFiles =>
    remoteFiles(
      `${hub.endpoint}/${model.id}`,
      names,
      (name) => fileUrl(hub, model.id, commit, name),
      hub.connection,
      signal,
    );
  const weights = plan.indexed ? await shardsOf(open([INDEX_FILE]), signal) : plan.weights;
  return resolved(open([...plan.small, ...weights]), { id: model.id, commit });
}

/** The model as the cache has it, where no server is to be asked or none answers. */
async function fromCache(model: ModelId, options: ResolveModelOptions, why: unknown): Promise<ResolvedModel> {
  const store = await openStore(model.id, options);
  const cached: CachedModel = await cachedModel(store, model, options.signal);
  if (cached.commit !== undefined && cached.missing.length === 0) {
    const { commit, names } = cached;
    return resolved(storedFiles(store, commit, names), {
      id: model.id,
      commit,
      fromCacheBecause: why === 'offline' ? 'offline was asked for' : reason(why),
    });
  }
  if (why !== 'offline') throw why;
  throw new TransferError(
    'offline',
    `resolveModel: offline was asked for, and ${store.place} lacks ${cached.missing.join(', ')} of ${model.id} at ${model.revision}; go online once (unset HF_HUB_OFFLINE), or pass a folder`,
  );
}

/** An address without its query, which may hold a signature. */
function hostAndPath(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
