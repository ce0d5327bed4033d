import { DeviceError } from '@xlstm/device';

/** A browser's `Worker`, as far as it is needed. */
export interface PageWorker {
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: never) => void): void;
  removeEventListener(type: string, listener: (event: never) => void): void;
  terminate(): void;
}

/** A `Worker` of `node:worker_threads`, as far as it is needed. */
export interface ThreadWorker {
  postMessage(message: unknown): void;
  on(type: string, listener: (...given: unknown[]) => void): unknown;
  off(type: string, listener: (...given: unknown[]) => void): unknown;
  ref(): void;
  unref(): void;
  terminate(): Promise<number>;
}

/** A worker that runs `xlstm/worker-entry`. */
export type EngineWorker = PageWorker | ThreadWorker;

/**
 * Starts a worker with the engine. Bundlers know the first of the two expressions, and make a bundle of its own of the
 * file that it names.
 */
export function startEngineWorker(): EngineWorker {
  const page = globalThis as unknown as {
    Worker?: new (url: URL, options: { type: 'module'; name: string }) => PageWorker;
  };
  if (page.Worker) {
    const { Worker } = page;
    return new Worker(new URL('./worker-entry.js', import.meta.url), { type: 'module', name: 'xlstm' });
  }
  const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads');
  if (!threads) throw new DeviceError('xlstm/worker: there are no workers here; import fromPretrained from xlstm');
  return new threads.Worker(new URL('./worker-entry.js', import.meta.url), { execArgv: threadArguments() });
}

/** The process's own flags; but how a script given on the command line is to be read does not fit a file. */
function threadArguments(): string[] {
  return process.execArgv.filter((flag, at, all) => !/^--input-type/.test(flag) && all[at - 1] !== '--input-type');
}

/** What is heard of a worker. */
export interface EngineWorkerListener {
  message(data: unknown): void;
  /** The worker is of no use any more. */
  failed(reason: string): void;
}

/** Listens to a worker, whichever kind it is. @returns a function that stops listening */
export function listenTo(worker: EngineWorker, listener: EngineWorkerListener): () => void {
  if ('on' in worker) {
    const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));
    const heard: [type: string, handler: (value: unknown) => void][] = [
      ['message', (data) => listener.message(data)],
      ['error', (error) => listener.failed(said(error))],
      ['messageerror', (error) => listener.failed(`a message could not be read: ${said(error)}`)],
      ['exit', (code) => listener.failed(`it ended with code ${code}`)],
    ];
    for (const [type, handler] of heard) worker.on(type, handler);
    return () => {
      for (const [type, handler] of heard) worker.off(type, handler);
    };
  }
  const heard: [type: string, handler: (event: never) => void][] = [
    ['message', ({ data }: { data: unknown }) => listener.message(data)],
    [
      'error',
      // A script that cannot be fetched is an event without a message.
      ({ message }: { message?: string }) =>
        listener.failed(message || 'its script could not be loaded; serve xlstm/worker-entry with the page'),
    ],
    ['messageerror', () => listener.failed('a message could not be read')],
  ];
  for (const [type, handler] of heard) worker.addEventListener(type, handler);
  return () => {
    for (const [type, handler] of heard) worker.removeEventListener(type, handler);
  };
}
