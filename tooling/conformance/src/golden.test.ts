import { cpSync, existsSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium } from '@xlstm-tooling/browser-tests';
import { isRequired } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { describe, expect, it } from 'vitest';
import { findCases } from './case-folder.ts';
import { GoldenTensors } from './golden-tensors.ts';
import type { Counts, Result } from './record.ts';
import { runCommand } from './run-command.ts';

const golden = process.env.XLSTM_GOLDEN ?? fileURLToPath(new URL('../../../../shared/golden', import.meta.url));
const lacking = existsSync(golden) ? undefined : `there are no golden vectors at ${golden}; set XLSTM_GOLDEN`;

async function run(...argv: string[]): Promise<{ code: number; error: string; results: Result[]; counts: Counts }> {
  const lines: string[] = [];
  let error = '';
  const code = await runCommand([...argv, '--json'], {
    out: (text) => lines.push(...text.split('\n').filter((line) => line !== '')),
    error: (text) => {
      error += text;
    },
  });
  const objects = lines.map((line) => JSON.parse(line) as unknown);
  return { code, error, counts: objects.pop() as Counts, results: objects as Result[] };
}

if (lacking) {
  describe('golden vectors', () => it.skip(`is skipped: ${lacking}`, () => {}));
} else {
  await describeDevices('golden vectors', (_, kind) => {
    it('pass in every tensor', { timeout: 900_000 }, async () => {
      const { code, error, results, counts } = await run(golden, '--device', kind);
      expect(error).not.toMatch(/FAIL/);
      expect(code).toBe(0);
      expect(counts.passed).toBeGreaterThan(900);
      const open = results.filter(({ status }) => status === 'notCovered');
      // The corpus lies beside the golden vectors, which may have been copied without it.
      expect(open.filter(({ tensor }) => tensor !== 'corpus ids')).toEqual([]);
    });
  });

  describe('golden vectors in a page', () => {
    // All of them take a minute and a half there, and are run by hand; here some of each cell and the large model.
    (findChromium() ? it : it.skip).for(['mlstm/base', 'slstm/base', 'large'])(
      'of %s pass as in Node, tensor by tensor (skipped where there is no Chromium)',
      { timeout: 900_000 },
      async (folder, context) => {
        const { code, error, results, counts } = await run(join(golden, folder), '--device', 'chromium');
        if (error.includes('is not there') && !isRequired('webgpu'))
          context.skip('this Chromium gives no WebGPU adapter');
        expect(error).not.toMatch(/FAIL/);
        expect(code).toBe(0);
        const here = await run(join(golden, folder), '--device', 'cpu');
        expect(counts).toEqual(here.counts);
        const lines = (all: Result[]) => all.map(({ case: name, tensor, status }) => `${name} ${tensor} ${status}`);
        expect(lines(results)).toEqual(lines(here.results));
        expect(results.map(({ device }) => device)).toContain('chromium');
      },
    );
  });

  describe('golden vectors that were changed', () => {
    const memory = ['state.0.c', 'state.0.m', 'state.0.n'];
    const changes: [tensor: string, failing: string[], change: number][] = [
      ['logits', ['logits'], 1.001],
      ['loss', ['loss'], 1.0001],
      ['state.1.c', ['state.1.c'], 1.001],
      ['grad.lm_head.weight', ['grad.lm_head.weight'], 1.1],
      ['state.0.m', memory, 1.001],
      ['greedy_prefill16', ['greedy_prefill16'], 1],
      ['param.lm_head.weight', ['checkpoint (equals param.*)'], 1.001],
    ];
    it.each(changes)('in %s fail in %j alone', async (tensor, failing, change) => {
      const root = await mkdtemp(join(tmpdir(), 'xlstm-conformance-'));
      try {
        cpSync(join(golden, 'large/native-checkpoint'), root, { recursive: true });
        const tensors = await GoldenTensors.open((await findCases(root))[0]!.files);
        const { offset, dtype } = tensors.info(tensor);
        await tensors.close();
        const file = await open(join(root, 'tensors.safetensors'), 'r+');
        const bytes = Buffer.alloc(4);
        await file.read(bytes, 0, 4, offset);
        if (dtype === 'I32') bytes.writeInt32LE(bytes.readInt32LE() + change);
        else bytes.writeFloatLE(bytes.readFloatLE() * change);
        await file.write(bytes, 0, 4, offset);
        await file.close();
        const { code, results } = await run(root, '--device', 'cpu');
        expect(code).toBe(1);
        expect(results.filter(({ status }) => status === 'failed').map((result) => result.tensor)).toEqual(failing);
      } finally {
        await rm(root, { recursive: true });
      }
    });
  });
}
