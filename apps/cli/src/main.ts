#!/usr/bin/env node
import { EXIT, Interrupted } from './failures.ts';
import { run } from './run.ts';
import type { Terminal } from './terminal.ts';

const { stdin, stdout, stderr, env } = process;
const interrupt = new AbortController();
const terminal: Terminal = { stdin, stdout, stderr, env, interrupt };
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Who asks twice does not want to wait for anything to be released.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    if (signal === 'SIGINT' && terminal.onInterrupt) terminal.onInterrupt();
    else interrupt.abort(new Interrupted(signal));
  });
}
process.exitCode = await run(process.argv.slice(2), terminal);
