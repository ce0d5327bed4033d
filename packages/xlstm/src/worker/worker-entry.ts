// What a worker runs: the engine, and nothing before it listens, so that no message is missed.
import { WorkerEngine } from './engine.ts';

/** A worker's own side, in a browser. */
interface PageScope {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
}

const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads');
if (threads) {
  const { parentPort } = threads;
  if (!parentPort) throw new Error('xlstm/worker-entry: this is what a worker runs; import xlstm/worker instead');
  const engine = new WorkerEngine((response) => parentPort.postMessage(response));
  parentPort.on('message', (message) => engine.receive(message));
} else {
  const scope = globalThis as unknown as PageScope;
  const engine = new WorkerEngine((response) => scope.postMessage(response));
  scope.addEventListener('message', ({ data }) => engine.receive(data));
}
