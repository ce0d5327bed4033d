// What setup has done already, kept beside what it made, so that deleting node_modules starts anew.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @typedef {{ install?: string, built: Record<string, string> }} Stamp */

const path = (/** @type {string} */ root) => join(root, 'node_modules/.xlstm-setup.json');

/**
 * @param {string} root
 * @returns {Stamp}
 */
export function readStamp(root) {
  try {
    const stamp = JSON.parse(readFileSync(path(root), 'utf8'));
    return { install: stamp.install, built: stamp.built ?? {} };
  } catch {
    return { built: {} };
  }
}

/**
 * @param {string} root
 * @param {Stamp} stamp
 */
export function writeStamp(root, stamp) {
  const temporary = `${path(root)}.${process.pid}`;
  mkdirSync(dirname(temporary), { recursive: true });
  writeFileSync(temporary, `${JSON.stringify(stamp)}\n`);
  renameSync(temporary, path(root));
}
