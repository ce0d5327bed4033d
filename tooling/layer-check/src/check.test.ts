import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { checkRepository } from './check.ts';
import { makeRepository, manifest } from './made-up-repository.ts';
import { formatViolation } from './violation.ts';

let remove: (() => void) | undefined;
afterEach(() => remove?.());

function violationsOf(files: Record<string, unknown>): string[] {
  const repository = makeRepository(files);
  remove = repository.remove;
  return checkRepository(repository.root).violations.map(formatViolation);
}

const device = {
  'packages/device/package.json': manifest('@xlstm/device'),
  'packages/device/src/index.ts': 'export const one = 1;\n',
};

function dependsOn(...names: string[]): Record<string, unknown> {
  return { dependencies: Object.fromEntries(names.map((name) => [name, 'workspace:*'])) };
}

describe('checkRepository', () => {
  it('finds nothing wrong with this repository', () => {
    const report = checkRepository(fileURLToPath(new URL('../../../', import.meta.url)));
    expect(report.violations.map(formatViolation)).toEqual([]);
    expect(report.packages).toBeGreaterThan(10);
    expect(report.files).toBeGreaterThan(20);
  });

  it('accepts imports that run downhill, tooling in tests and development packages of the root in tests', () => {
    const found = violationsOf({
      ...device,
      'packages/tensor/package.json': manifest('@xlstm/tensor', {
        ...dependsOn('@xlstm/device'),
        devDependencies: { '@xlstm-tooling/harness': 'workspace:*' },
      }),
      'packages/tensor/src/index.ts': "import { readFile } from 'node:fs/promises';\nexport * from '@xlstm/device';\n",
      'packages/tensor/src/k/spec.ts': "import { h } from '@xlstm-tooling/harness';\nexport const spec = h;\n",
      'packages/tensor/src/k/kernel.test.ts':
        "import 'vitest';\nimport '@xlstm-tooling/harness';\nimport './spec.ts';\n",
      'packages/tensor/src/k/kernel.bench.ts': "import '@xlstm-tooling/harness';\n",
      'tooling/harness/package.json': manifest('@xlstm-tooling/harness', dependsOn('@xlstm/device')),
      'tooling/harness/src/index.ts': "import '@xlstm/device';\nexport const h = 1;\n",
    });
    expect(found).toEqual([]);
  });

  it.each([
    ['a static import', "import { x } from 'xlstm';"],
    ['a type-only import', "import type { x } from 'xlstm';"],
    ['a re-export', "export * from 'xlstm';"],
    ['a dynamic import', "const x = await import('xlstm');"],
    ['a dynamic import of a template', 'const x = await import(`xlstm`);'],
    ['an import type', "type X = import('xlstm').X;"],
    ['a require', "const x = require('xlstm');"],
  ])('catches %s that runs uphill', (_, statement) => {
    const found = violationsOf({
      'packages/device/package.json': manifest('@xlstm/device', dependsOn('xlstm')),
      'packages/device/src/index.ts': `// The first line.\n${statement}\n`,
      'packages/xlstm/package.json': manifest('xlstm'),
      'packages/xlstm/src/index.ts': '',
    });
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/^packages\/device\/package\.json:10: @xlstm\/device stands below xlstm/);
    expect(found[1]).toMatch(/^packages\/device\/src\/index\.ts:2: @xlstm\/device stands below xlstm, .*move/);
  });

  it('catches an uphill import of a package that does not exist yet', () => {
    const found = violationsOf({
      'packages/tensor/package.json': manifest('@xlstm/tensor', dependsOn('@xlstm/xlstm-core')),
    });
    expect(found).toEqual([expect.stringMatching(/tensor stands below @xlstm\/xlstm-core/)]);
  });

  it('catches kernels and tensors that know each other', () => {
    const found = violationsOf({
      'packages/tensor/package.json': manifest('@xlstm/tensor', dependsOn('@xlstm/mlstm-kernels')),
      'packages/mlstm-kernels/package.json': manifest('@xlstm/mlstm-kernels', dependsOn('@xlstm/tensor')),
    });
    expect(found).toHaveLength(2);
    for (const each of found) expect(each).toMatch(/stand side by side/);
  });

  it('catches tests that run uphill as well', () => {
    const found = violationsOf({
      'packages/device/package.json': manifest('@xlstm/device', {
        devDependencies: { '@xlstm/tensor': 'workspace:*' },
      }),
      'packages/device/src/a.test.ts': "import '@xlstm/tensor';\n",
      'packages/tensor/package.json': manifest('@xlstm/tensor'),
    });
    expect(found).toHaveLength(2);
    for (const each of found) expect(each).toMatch(/stands below @xlstm\/tensor/);
  });

  it('lets packages at the side import only the two entries of device', () => {
    const found = violationsOf({
      ...device,
      'packages/loaders/package.json': manifest('@xlstm/loaders', dependsOn('@xlstm/device', '@xlstm/tensor')),
      'packages/loaders/src/index.ts':
        "import '@xlstm/device';\nimport '@xlstm/device/dtypes';\nimport '@xlstm/device/webgpu';\nimport '@xlstm/tensor';\n",
    });
    expect(found).toHaveLength(3);
    expect(found[0]).toMatch(/^packages\/loaders\/package\.json:11: @xlstm\/loaders stands at the side/);
    expect(found[1]).toMatch(/index\.ts:3: .*may import only .* got @xlstm\/device\/webgpu/);
    expect(found[2]).toMatch(/index\.ts:4: @xlstm\/loaders stands at the side/);
  });

  it('keeps packages at the side out of everything below the façade', () => {
    const found = violationsOf({
      'packages/xlstm/package.json': manifest('xlstm', dependsOn('@xlstm/loaders')),
      'packages/xlstm-large/package.json': manifest('@xlstm/xlstm-large', dependsOn('@xlstm/loaders')),
    });
    expect(found).toEqual([expect.stringMatching(/^packages\/xlstm-large\/.*must not know @xlstm\/loaders/)]);
  });

  it('catches imports of apps, from packages, apps and tooling', () => {
    const found = violationsOf({
      'apps/cli/package.json': manifest('@xlstm/cli'),
      'apps/cli/src/index.ts': '',
      'apps/demo/package.json': manifest('@xlstm/demo', dependsOn('@xlstm/cli')),
      'apps/demo/src/index.ts': "import '@xlstm/cli';\n",
      'tooling/bench/package.json': manifest('@xlstm-tooling/bench', dependsOn('@xlstm/cli')),
      'tooling/bench/src/index.ts': "import '@xlstm/cli';\n",
    });
    expect(found).toHaveLength(4);
    for (const each of found) expect(each).toMatch(/@xlstm\/cli is an app, and nothing imports apps/);
  });

  it('catches tooling in published source, as import and as dependency', () => {
    const found = violationsOf({
      'packages/device/package.json': manifest('@xlstm/device', dependsOn('@xlstm-tooling/harness')),
      'packages/device/src/index.ts': "import '@xlstm-tooling/harness';\n",
      'tooling/harness/package.json': manifest('@xlstm-tooling/harness'),
    });
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/move it from dependencies to devDependencies/);
    expect(found[1]).toMatch(/index\.ts:1: .*never published, and only \*\.test\.ts/);
  });

  it('catches published source that imports a spec, a test or a benchmark', () => {
    const found = violationsOf({
      ...device,
      'packages/device/src/index.ts': "import './k/spec.ts';\nimport './k/a.test.ts';\n",
      'packages/device/src/k/spec.ts': '',
      'packages/device/src/k/a.test.ts': '',
    });
    expect(found).toHaveLength(2);
    for (const each of found) expect(each).toMatch(/is for tests and benchmarks only/);
  });

  it('catches undeclared packages, and development packages in published source', () => {
    const found = violationsOf({
      ...device,
      'packages/device/package.json': manifest('@xlstm/device', { devDependencies: { yaml: '*' } }),
      'packages/device/src/index.ts': "import 'left-pad/sub';\nimport 'yaml';\nimport 'vitest';\n",
      'packages/device/src/a.test.ts': "import 'yaml';\nimport '@scope/missing/sub';\n",
      'packages/tensor/package.json': manifest('@xlstm/tensor'),
      'packages/tensor/src/index.ts': "import '@xlstm/device';\n",
    });
    expect(found).toEqual([
      expect.stringMatching(
        /device\/src\/a\.test\.ts:2: @scope\/missing is not declared; add it to the devDependencies/,
      ),
      expect.stringMatching(/device\/src\/index\.ts:1: left-pad is not declared; add it to the dependencies/),
      expect.stringMatching(/device\/src\/index\.ts:2: yaml is only in devDependencies/),
      expect.stringMatching(/device\/src\/index\.ts:3: vitest is not declared/),
      expect.stringMatching(/tensor\/src\/index\.ts:1: @xlstm\/device is not declared/),
    ]);
  });

  it('catches imports that leave the package, name the package itself or a place on the machine', () => {
    const found = violationsOf({
      ...device,
      'packages/device/src/index.ts':
        "import '../../tensor/src/index.ts';\nimport '@xlstm/device';\nimport '/opt/x.js';\n",
    });
    // The import of the package's own entry is also a circle of one.
    expect(found).toEqual([
      expect.stringMatching(/:1: .* leaves packages\/device/),
      expect.stringMatching(/:2: .*is this package itself/),
      expect.stringMatching(/:3: .*place on one machine/),
      expect.stringMatching(/:2: import cycle/),
    ]);
  });

  it('catches names that differ from the folder, and packages without a place in the line', () => {
    const found = violationsOf({
      'packages/device/package.json': manifest('@xlstm/devices'),
      'packages/mystery/package.json': manifest('@xlstm/mystery'),
      'tooling/bench/package.json': manifest('@xlstm/bench'),
    });
    expect(found).toEqual([
      expect.stringMatching(/^packages\/device\/package\.json:2: expected the name @xlstm\/device/),
      expect.stringMatching(
        /^packages\/mystery\/package\.json:2: @xlstm\/mystery has no place in the line; .*layers\.ts/,
      ),
      expect.stringMatching(/^tooling\/bench\/package\.json:2: expected the name @xlstm-tooling\/bench/),
    ]);
  });

  it('catches circles of files, type-only imports and the package entry included, once each', () => {
    const found = violationsOf({
      ...device,
      'packages/device/src/a.ts': "import type { B } from './b.ts';\nexport type A = B;\n",
      'packages/device/src/b.ts': "export * from './sub/c.ts';\n",
      'packages/device/src/sub/c.ts': "\nimport { x } from '../a.ts';\n",
      'packages/device/src/index.ts': "import './a.ts';\nimport './d.ts';\n",
      'packages/device/src/d.ts': "import './b.ts';\nimport './d.ts';\n",
    });
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(
      /^packages\/device\/src\/sub\/c\.ts:2: import cycle packages\/device\/src\/a\.ts -> .*b\.ts -> .*sub\/c\.ts -> packages\/device\/src\/a\.ts; move/,
    );
    expect(found[1]).toMatch(/^packages\/device\/src\/d\.ts:2: import cycle .*d\.ts -> .*d\.ts/);
  });

  it('ignores imports in comments and strings', () => {
    const found = violationsOf({
      ...device,
      'packages/device/src/index.ts': '// import "xlstm";\nexport const text = \'import "xlstm"\';\n',
    });
    expect(found).toEqual([]);
  });

  it('names the file that does not parse', () => {
    expect(() => violationsOf({ ...device, 'packages/device/src/index.ts': 'import {' })).toThrow(
      /packages\/device\/src\/index\.ts/,
    );
  });

  it('refuses a folder that is no workspace', () => {
    expect(() => violationsOf({})).toThrow(/expected packages\/, apps\/ or tooling\//);
  });
});
