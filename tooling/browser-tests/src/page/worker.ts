import { type DeviceKind, DeviceLostError, DisposedError, OptionError, StateError } from '@xlstm/device';
import { fromPretrained, type XlstmModel } from 'xlstm';
import { fromPretrained as fromPretrainedInWorker, type WorkerModel } from 'xlstm/worker';
import { fetchFiles } from './stories-files.ts';
import { type ThreadWatch, watchThread } from './watch-thread.ts';

/** What the page is told to do with a model in a worker. */
export interface WorkerSettings {
  urls: readonly string[];
  prompt: string;
  maxNewTokens: number;
  /** Where a state lies that was exported in Node, and the prompt to go on with. */
  state: { url: string; prompt: string };
}

/** What came of it. */
export interface WorkerFacts {
  device: string;
  here: readonly number[];
  worker: readonly number[];
  chunks: readonly string[];
  text: string;
  /** While the worker generated; and while this thread was kept busy for 80 ms on purpose. */
  page: ThreadWatch;
  busyPage: ThreadWatch;
  /** Two prompts together, one of which ends before the other: the tokens of each, here and in the worker. */
  batches: readonly (readonly number[][])[];
  /** The state from Node, gone on from here and in the worker. */
  position: number;
  goneOn: readonly number[][];
  /** What became of it in the worker, and then in the page, for Node to go on from. */
  states: readonly number[][];
  liveBuffers: readonly [before: number, after: number];
  /** Names of classes, by what was done. */
  errors: Readonly<Record<string, string>>;
  /** Whether an abort threw its own reason. */
  reasonKept: boolean;
}

const CLASSES = { DeviceLostError, DisposedError, OptionError, StateError };

async function classOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'nothing';
  } catch (error) {
    return Object.entries(CLASSES).find(([, each]) => error instanceof each)?.[0] ?? String(error);
  }
}

async function keepsReason(model: WorkerModel): Promise<boolean> {
  const abort = new AbortController();
  const reason = { any: 'reason' };
  try {
    for await (const _ of model.generate('One', { maxNewTokens: 20, signal: abort.signal })) abort.abort(reason);
  } catch (error) {
    return error === reason;
  }
  return false;
}

async function errorsOf(model: WorkerModel): Promise<Record<string, string>> {
  const state = model.createState();
  const errors = {
    'unknown option': await classOf(() => model.generate('x', { maxTokens: 1 } as never)),
    'option out of range': await classOf(() => model.generate('x', { topP: 2 }).result()),
    'damaged state': await classOf(() => model.importState(new Uint8Array(50))),
    'disposed state': await classOf(() => {
      state.dispose();
      return state.clone();
    }),
  };
  return errors;
}

/** Shows that the watch sees what it is to see. */
async function keepBusy(): Promise<ThreadWatch> {
  const watched = watchThread();
  await new Promise((done) => setTimeout(done));
  for (const begun = performance.now(); performance.now() - begun < 80; );
  // Long tasks are told of when they are over.
  await new Promise((done) => setTimeout(done, 100));
  return watched();
}

/** A script that is not there. */
async function strangers(files: File[]): Promise<Record<string, string>> {
  const page = globalThis as unknown as { Worker: new (url: string, options: { type: 'module' }) => never };
  return {
    'no script': await classOf(() =>
      fromPretrainedInWorker(files, { worker: new page.Worker('/no.js', { type: 'module' }) }),
    ),
  };
}

/** Runs a model in the page and in a worker of its own, and compares. */
export async function workerFacts(settings: WorkerSettings, device: DeviceKind): Promise<WorkerFacts> {
  const files = await fetchFiles(settings.urls);
  const here: XlstmModel = await fromPretrained(files, { device });
  const model = await fromPretrainedInWorker(files, { device });
  const before = (await model.device.liveBuffers()).count;
  const options = { maxNewTokens: settings.maxNewTokens, temperature: 0, eosTokenIds: [] };
  const wanted = await here.generate(settings.prompt, options).result();

  const watched = watchThread();
  const stream = model.generate(settings.prompt, options);
  const chunks: string[] = [];
  for await (const { text } of stream) chunks.push(text);
  const page = watched();
  const { tokenIds, text } = await stream.result();

  const prompts = [settings.prompt, { prompt: 'One', options: { maxNewTokens: 2 } }];
  const batches: number[][][] = [];
  for (const each of [here, model]) {
    const told: number[][] = prompts.map(() => []);
    for await (const { index, tokenIds } of each.generateBatch(prompts, { ...options, maxNewTokens: 5 })) {
      told[index]!.push(...tokenIds);
    }
    batches.push(told);
  }

  const bytes = new Uint8Array(await (await fetch(settings.state.url)).arrayBuffer());
  const [ownState, state] = [here.importState(bytes), await model.importState(bytes)];
  const { position } = state;
  const own = await here.generate(settings.state.prompt, { ...options, state: ownState }).result();
  const gone = await model.generate(settings.state.prompt, { ...options, state }).result();
  const states = [await model.exportState(state), await here.exportState(ownState)].map((each) => Array.from(each));
  state.dispose();

  const errors = { ...(await errorsOf(model)), ...(await strangers(files)) };
  const reasonKept = await keepsReason(model);
  for await (const _ of model.generate('Two', { maxNewTokens: 8 })) break;
  const after = (await model.device.liveBuffers()).count;
  await model.dispose();
  errors['disposed model'] = await classOf(() => model.generate('x'));
  await here.dispose();
  return {
    device: here.device.name,
    here: wanted.tokenIds,
    worker: tokenIds,
    chunks,
    text,
    page,
    busyPage: await keepBusy(),
    batches,
    position,
    goneOn: [[...own.tokenIds], [...gone.tokenIds]],
    states,
    liveBuffers: [before, after],
    errors,
    reasonKept,
  };
}
