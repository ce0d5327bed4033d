import { beforeAll, describe, expect, it } from 'vitest';
import { bundleForBrowser, FACADE_BUDGET, measureFacade, measurePackages } from './bundle-sizes.ts';
import { buildPackages } from './pack.ts';
import { publicLibraries } from './public-packages.ts';

beforeAll(buildPackages, 240_000);

it('a page with the façade stays within its budget', async () => {
  const { gzip } = await measureFacade();
  expect(gzip).toBeGreaterThan(20_000);
  expect(gzip).toBeLessThan(FACADE_BUDGET);
});

it('weighs every library, alone and with what it imports', async () => {
  const sizes = await measurePackages();
  expect(sizes.map(({ name }) => name)).toEqual(publicLibraries().map(({ name }) => name));
  for (const { own, whole } of sizes) {
    expect(own.gzip).toBeGreaterThan(300);
    expect(own.gzip).toBeLessThan(own.minified);
    // Import statements go when what they name comes along, which for little of it is the smaller of the two.
    expect(whole.minified).toBeGreaterThan(0.98 * own.minified);
  }
});

describe.each(['@xlstm/mlstm-kernels', '@xlstm/tensor'])('importing one kernel of %s', (name) => {
  it('leaves the others behind', async () => {
    const exported = (await import(name)) as Record<string, { id?: string }>;
    const kernels = Object.entries(exported).flatMap(([key, { id }]) =>
      key.endsWith('Kernel') && id !== undefined ? [{ key, id }] : [],
    );
    expect(kernels.length).toBeGreaterThan(4);
    for (const { key, id } of kernels) {
      const code = await bundleForBrowser(`export { ${key} } from '${name}';`);
      // Helpers may be called like kernels; an entry point begins with its stage.
      const kept = kernels.filter(({ id }) => new RegExp(`@compute[^;{}]*?fn ${id}\\(`).test(code)).map(({ id }) => id);
      expect(kept, key).toEqual([id]);
    }
  });

  it('leaves everything behind that nothing uses', async () => {
    expect(await bundleForBrowser(`import '${name}'; import * as all from '${name}';`)).toBe('');
  });
});

it('importing one operation brings its own kernels alone', async () => {
  const step = await bundleForBrowser("export { mlstmStep } from '@xlstm/mlstm-kernels';");
  expect(step).toContain('fn mlstm_step(');
  expect(step).not.toContain('fn mlstm_chunkwise');
  expect(step).not.toContain('fn mlstm_parallel(');
  const norm = await bundleForBrowser("export { rmsNorm } from '@xlstm/tensor';");
  expect(norm).toContain('fn rms_norm(');
  expect(norm).not.toContain('fn matmul');
});
