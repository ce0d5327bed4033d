#!/usr/bin/env node
import { EXIT, Interrupted } from './command/failures.ts';
import { run } from './run.ts';

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Who asks twice does not want to wait for a checkpoint.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort(new Interrupted(signal));
  });
}
const { stdout, stderr } = process;
for (const stream of [stdout, stderr]) {
  // Whoever read it has gone: as good as being asked to end.
  stream.on('error', (error: NodeJS.ErrnoException) => interrupt.abort(new Interrupted(error.code ?? error.message)));
}
process.exitCode = await run(process.argv.slice(2), { stdout, stderr, signal: interrupt.signal });
