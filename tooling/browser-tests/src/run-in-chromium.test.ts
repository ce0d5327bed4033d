import { resolve } from 'node:path';
import { OptionError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { bundlePage } from './bundle-page.ts';
import { findChromium } from './find-chromium.ts';
import type { KernelOutcome } from './page/kernels.ts';
import { runInChromium } from './run-in-chromium.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const at = (path: string) => JSON.stringify(resolve(ROOT, path));

/** Keeps every export of every package that pages may import. */
const ALL_PACKAGES = (() => {
  const names = ['xlstm', '@xlstm/device', '@xlstm/loaders', '@xlstm/tokenizer', '@xlstm/xlstm-large'];
  const entries = ['mlstm-kernels', 'tensor'].map((name) => at(`packages/${name}/src/index.ts`));
  const paths = [...names.map((name) => JSON.stringify(name)), ...entries];
  const imports = paths.map((path, index) => `import * as all${index} from ${path};`);
  const counts = paths.map((_, index) => `Object.keys(all${index}).length`).join(', ');
  return `${imports.join('\n')}\nexport default (report) => report([${counts}]);`;
})();

describe('bundlePage', () => {
  it('takes every package, none of which imports anything of Node', async () => {
    const code = await bundlePage(ALL_PACKAGES);
    expect(code).toContain('fn mlstm_step(');
  });

  it('names an import that no browser can follow', async () => {
    const code = "import { readFileSync } from 'node:fs';\nexport default () => readFileSync('x');";
    await expect(bundlePage(code)).rejects.toThrow(/^bundlePage: a browser cannot import node:fs.*only in Node/);
    const later = "export default async () => (await import('node:os')).cpus();";
    await expect(bundlePage(later)).rejects.toThrow(/cannot import node:os/);
  });
});

describe('findChromium', () => {
  it('takes CHROME_PATH, and refuses one that is no program', () => {
    expect(findChromium({ CHROME_PATH: process.execPath })).toBe(process.execPath);
    expect(() => findChromium({ CHROME_PATH: resolve(ROOT, 'package.json') })).toThrow(OptionError);
    expect(() => findChromium({ CHROME_PATH: '/no/such/chromium' })).toThrow(/\/no\/such\/chromium/);
  });
});

describe.skipIf(!findChromium())('runInChromium (skipped where there is no Chromium)', () => {
  it('loads every package', async () => {
    const counts: number[][] = [];
    await runInChromium<number[]>({ entry: ALL_PACKAGES, onResult: (found) => counts.push(found) });
    expect(counts).toHaveLength(1);
    expect(counts[0]).toHaveLength(7);
    expect(Math.min(...counts[0]!)).toBeGreaterThan(0);
  });

  it('serves files and hands over results one by one, NaN included', async () => {
    const results: unknown[] = [];
    await runInChromium({
      entry: `export default async (report) => {
        const response = await fetch('/some/text.json');
        await report(await response.json());
        await report((await fetch('/another')).status);
        await report([Number.NaN, Number.POSITIVE_INFINITY, isSecureContext]);
      }`,
      files: { '/some/text.json': { text: '{"a":[1]}' } },
      onResult: (result) => results.push(result),
    });
    expect(results).toEqual([{ a: [1] }, 404, [Number.NaN, Number.POSITIVE_INFINITY, true]]);
  });

  it('fails when the page fails, with what the page said', async () => {
    const entry = "export default async () => { console.error('look here'); throw new Error('no good'); }";
    await expect(runInChromium({ entry, onResult: () => {} })).rejects.toThrow(/no good[\s\S]*look here/);
  });

  it('ends with the reason of an abort', async () => {
    const stop = new AbortController();
    const entry = "export default async (report) => { await report('here'); await new Promise(() => {}); }";
    const run = runInChromium({ entry, onResult: () => stop.abort(new Error('enough')), signal: stop.signal });
    await expect(run).rejects.toThrow('enough');
  });

  it('tells wrong kernels from a right one', async (context) => {
    const outcomes: (KernelOutcome | null)[] = [];
    await runInChromium<KernelOutcome | null>({
      entry: `
        import { createWebGpuDevice, defineKernel } from '@xlstm/device';
        import { runSpec } from ${at('tooling/browser-tests/src/page/kernels.ts')};
        import { scaleKernel } from ${at('tooling/kernel-harness/src/device-contract/fixture-kernels.ts')};
        const spec = {
          kernel: scaleKernel,
          backends: { cpu: true, webgpu: true, cuda: 'a fixture' },
          cases: [{
            name: 'odd', params: { n: 7, a: 2 },
            buffers: (random) => ({ x: random.tensor(7), y: { dtype: 'fp32', length: 7 } }),
          }],
          tolerances: { y: { relativeRms: 1e-6, atol: 1e-6, rtol: 1e-6 } },
        };
        const changed = (from, to) => {
          const [plain] = scaleKernel.webgpu;
          if (!plain.code.includes(from)) throw new Error('the fixture has no ' + from);
          const webgpu = [{ ...plain, code: plain.code.replace(from, to) }];
          return { ...spec, kernel: defineKernel({ ...scaleKernel, webgpu }) };
        };
        export default async (report) => {
          if (!(await navigator.gpu?.requestAdapter())) return report(null);
          const device = await createWebGpuDevice();
          await report(await runSpec(spec, device));
          await report(await runSpec(changed('params.a * x[id.x]', '(params.a + 0.01) * x[id.x]'), device));
          await report(await runSpec(changed('params.a * x[id.x]', 'params.a * no_such_name'), device));
        };`,
      onResult: (outcome) => outcomes.push(outcome),
    });
    // Where webgpu is required, browser.test.ts fails for it.
    if (outcomes[0] === null) context.skip('this Chromium gives no WebGPU adapter');
    expect(outcomes.map((outcome) => outcome?.launches)).toEqual([1, 1, 1]);
    expect(outcomes[0]!.failures).toEqual([]);
    expect(outcomes[1]!.failures[0]).toMatch(/^plain, odd: y: relative RMS 5.*e-3/);
    expect(outcomes[2]!.failures[0]).toMatch(/no_such_name/);
  });
});
