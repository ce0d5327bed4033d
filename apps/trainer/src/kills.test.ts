import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { bundleTrainer } from './testing/bundled-trainer.ts';
import { smallRun } from './testing/small-run.ts';

/** How often the run is killed; 50 take two minutes. */
const KILLS = Number(process.env.XLSTM_KILLS ?? 6);
const STEPS = 60;

const root = await mkdtemp(join(tmpdir(), 'xlstm-kills-'));
afterAll(() => rm(root, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  killed: boolean;
  errors: string;
}

function start(args: readonly string[], kill?: { after: number; signal: NodeJS.Signals }): Promise<Ended> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += String(data);
  });
  const timer = kill && setTimeout(() => child.kill(kill.signal), kill.after);
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, killed: signal !== null || code === 130, errors });
    });
  });
}

/** Weights and the optimiser's moments at the end. */
async function fingerprint(outDir: string): Promise<string> {
  const hash = createHash('sha256');
  const last = join(outDir, 'checkpoints', `step-${String(STEPS).padStart(8, '0')}`);
  for (const file of ['weights.safetensors', 'optimizer.safetensors']) hash.update(await readFile(join(last, file)));
  return hash.digest('hex');
}

it(`ends in the same weights, bit for bit, after ${KILLS} kills`, { timeout: 600_000 }, async () => {
  const program = await bundleTrainer(root);
  const sections = {
    train: `{ max_steps: ${STEPS}, global_batch_size: 4, micro_batch_size: 2, dropout: 0.1 }`,
    checkpoint: '{ interval: 4, keep: 2 }',
    eval: '{ interval: 30, batches: 1 }',
  };
  const whole = await smallRun(join(root, 'whole'), sections);
  const undisturbed = performance.now();
  expect(await start([program, '--config', whole.config])).toMatchObject({ code: 0 });
  const time = performance.now() - undisturbed;
  const broken = await smallRun(join(root, 'broken'), sections);
  let kills = 0;
  for (let runs = 0; runs < 4 * KILLS + 10; runs++) {
    const checkpoints = await readdir(join(broken.outDir, 'checkpoints')).catch(() => []);
    const begun = checkpoints.some((name) => /^step-\d+$/.test(name));
    const args = [program, '--config', broken.config, begun ? '--resume' : '--force'];
    // Some are asked to end, most are killed on the spot; anywhere from the start of the process to its last step.
    const signal = kills % 3 === 0 ? 'SIGTERM' : 'SIGKILL';
    const ended = await start(args, kills < KILLS ? { signal, after: 200 + Math.random() * time } : undefined);
    if (ended.killed) kills++;
    else {
      expect(ended.errors).not.toMatch(/error:/);
      expect(ended.code).toBe(0);
      expect(await fingerprint(broken.outDir)).toBe(await fingerprint(whole.outDir));
      if (kills >= KILLS) break;
      await rm(broken.outDir, { recursive: true });
    }
  }
  expect(kills).toBe(KILLS);
});
