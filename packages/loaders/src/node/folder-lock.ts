import { sleep } from '../transfer/retry.ts';
import { nodeModules } from './node-modules.ts';
import { systemCode } from './storage-failure.ts';

/** A holder that lives touches its lock this often; one that has not for the longer time is taken for dead. */
const HEARTBEAT_MS = 5_000;
const STALE_MS = 30_000;
const POLL_MS = 100;

/**
 * Runs `work` while no other process or call holds the lock file. Node has no flock, so the lock is that the file
 * exists; one whose holder died is removed. Whoever loses a lock that way does no harm: downloads are checked whole
 * before they appear.
 */
export async function withLockFile<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const { fs, hostname } = nodeModules('resolveModel');
  const token = JSON.stringify({ host: hostname(), pid: process.pid, id: globalThis.crypto.randomUUID() });
  const watch = new Watch(path);
  for (;;) {
    signal?.throwIfAborted();
    try {
      await fs.writeFile(path, token, { flag: 'wx' });
      break;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    if (await watch.holderIsDead()) await fs.rm(path, { force: true });
    else await sleep(POLL_MS * (0.5 + Math.random()), signal);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    fs.utimes(path, now, now).catch(() => {});
  }, HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await fs.readFile(path, 'utf8').catch(() => '')) === token) await fs.rm(path, { force: true });
  }
}

/** Watches another's lock by this machine's own clock, as those of file servers differ. */
class Watch {
  private readonly path: string;
  private seen: string | undefined;
  private since = 0;

  constructor(path: string) {
    this.path = path;
  }

  async holderIsDead(): Promise<boolean> {
    const { fs, hostname } = nodeModules('resolveModel');
    let text: string;
    let touched: number;
    try {
      text = await fs.readFile(this.path, 'utf8');
      touched = (await fs.stat(this.path)).mtimeMs;
    } catch {
      return false;
    }
    const now = performance.now();
    const seen = `${touched} ${text}`;
    if (seen !== this.seen) {
      this.seen = seen;
      this.since = now;
    }
    return now - this.since > STALE_MS || isDeadHere(text, hostname());
  }
}

function isDeadHere(text: string, host: string): boolean {
  try {
    const holder = JSON.parse(text) as { host?: unknown; pid?: unknown };
    if (holder.host !== host || typeof holder.pid !== 'number') return false;
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}
