// One setup at a time: two first runs started together must not install over each other.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const HEARTBEAT_MS = 2_000;
const STALE_MS = 20_000;

/**
 * Runs `work` while holding the lock file; waits for another holder, and takes over from one that died.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {(holder: number) => void} [onWait] called once if the lock is held, with the holder's process id
 * @returns {Promise<T>}
 */
export async function withLock(path, work, onWait) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), at: Date.now(), token: Math.random() });
  for (let waited = false; !create(path, mine); ) {
    const theirs = read(path);
    if (theirs === undefined) continue;
    if (isAbandoned(path, theirs)) {
      remove(path, theirs);
      continue;
    }
    if (!waited) onWait?.(holderOf(theirs)?.pid ?? 0);
    waited = true;
    await delay(150);
  }
  // The age of the file says "alive" where the process id cannot (other containers on the same folder).
  const heartbeat = setInterval(() => {
    const now = new Date();
    if (read(path) === mine) utimesSync(path, now, now);
  }, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if (read(path) === mine) rmSync(path, { force: true });
  }
}

/** @returns {boolean} */
function create(/** @type {string} */ path, /** @type {string} */ content) {
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/** @returns {string | undefined} */
function read(/** @type {string} */ path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @returns {{ pid: number, host: string } | undefined} */
function holderOf(/** @type {string} */ content) {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

function isAbandoned(/** @type {string} */ path, /** @type {string} */ content) {
  const holder = holderOf(content);
  // A lock without a holder is being written at this moment, unless it stays so.
  if (holder && holder.host === hostname() && !isAlive(holder.pid)) return true;
  const status = statSync(path, { throwIfNoEntry: false });
  return status !== undefined && Date.now() - status.mtimeMs > STALE_MS;
}

function isAlive(/** @type {number} */ pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

function remove(/** @type {string} */ path, /** @type {string} */ expected) {
  // Another waiter may have taken over since we read: what we moved away is then a live lock, and goes back.
  const aside = `${path}.${process.pid}.abandoned`;
  try {
    renameSync(path, aside);
    if (read(aside) !== expected) linkSync(aside, path);
  } catch {
    // Someone else removed it first, or holds it again: the loop looks anew.
  }
  rmSync(aside, { force: true });
}
