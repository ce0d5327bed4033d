// Runs one of the repository's programs in this very process: its input, output, signals and exit code are ours.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { say } from './commands.mjs';
import { softwareVulkan } from './vulkan.mjs';

/**
 * @param {string} root
 * @param {string} entry path of the built program
 * @param {string[]} args
 */
export async function runProgram(root, entry, args) {
  const file = join(root, entry);
  process.argv = [process.argv[0] ?? process.execPath, file, ...args];
  // npm runs scripts in the repository's root; a relative path is meant from where the user stood.
  if (process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);
  if (asksForWebgpu(args)) {
    const software = softwareVulkan();
    if (software) say("No GPU driver found: WebGPU runs on Chromium's software adapter (SwiftShader), slowly.");
    Object.assign(process.env, software);
  }
  deliverInterruptOnce();
  await import(pathToFileURL(file).href);
}

/**
 * Whether the user named WebGPU; `auto` never gets the software adapter, which is slower than the CPU device.
 * @param {string[]} args
 * @returns {boolean}
 */
export function asksForWebgpu(args) {
  return args.some((arg, i) => arg === '--device=webgpu' || (arg === '--device' && args[i + 1] === 'webgpu'));
}

/**
 * Ctrl-C comes twice under npm: from the terminal, and again from npm, which passes on what it got. Programs take a
 * second one for "now, at once", so the echo is swallowed; a person's second press comes later than this.
 */
export function deliverInterruptOnce(echoMs = 250) {
  const emit = process.emit;
  let last = Number.NEGATIVE_INFINITY;
  // Node binds process.emit when the first listener for a signal is added, which is after this.
  process.emit = /** @type {typeof process.emit} */ (
    function emitOnce(/** @type {any[]} */ ...args) {
      if (args[0] === 'SIGINT') {
        const now = performance.now();
        if (now - last < echoMs) return true;
        last = now;
      }
      return Reflect.apply(emit, process, args);
    }
  );
}
