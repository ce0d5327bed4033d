import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKernel } from './create-kernel.ts';
import { NewKernelError, parseKernelName } from './kernel-name.ts';
import { nextSteps } from './next-steps.ts';
import { KERNEL_PACKAGES, parseOptions } from './options.ts';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const templates = fileURLToPath(new URL('../template/', import.meta.url));

describe('parseKernelName', () => {
  it('gives the folder, the id and the function', () => {
    expect(parseKernelName('mlstm-chunkwise-2-forward')).toEqual({
      kebab: 'mlstm-chunkwise-2-forward',
      snake: 'mlstm_chunkwise_2_forward',
      camel: 'mlstmChunkwise2Forward',
    });
  });

  it.each(['', 'RmsNorm', 'rms_norm', '2d', '-x', 'x-', 'a--b', 'a/b', '../up', 'ä', 'x', 'loop', 'delete', 'params'])(
    'refuses "%s"',
    (name) => {
      expect(() => parseKernelName(name)).toThrow(NewKernelError);
    },
  );

  it('refuses a name longer than a line can bear', () => {
    expect(() => parseKernelName('a'.repeat(61))).toThrow(/longer than 60/);
  });
});

describe('parseOptions', () => {
  it('reads a name and a package, tensor by default', () => {
    expect(parseOptions(['swish'])).toMatchObject({ name: { kebab: 'swish' }, package: 'tensor' });
    expect(parseOptions(['--package', 'mlstm-kernels', 'slstm-step'])).toMatchObject({ package: 'mlstm-kernels' });
    expect(parseOptions(['--help'])).toEqual({ help: true });
  });

  it.each([
    [[], /expected one name, got 0/],
    [['a-b', 'c-d'], /expected one name, got 2/],
    [['a-b', '--package', 'loaders'], /--package must be tensor or mlstm-kernels, got "loaders"/],
    [['a-b', '--force'], /Unknown option/],
  ])('refuses %j', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(message);
  });
});

it('nextSteps names the files of its package', () => {
  const steps = nextSteps(parseKernelName('slstm-step'), 'mlstm-kernels');
  expect(steps).toContain('Made packages/mlstm-kernels/src/kernels/slstm-step,');
  expect(steps).toContain('export slstmStep and slstmStepKernel from packages/mlstm-kernels/src/index.ts');
  expect(steps).toContain('npm test -- packages/mlstm-kernels/src/kernels/slstm-step');
});

describe('a new kernel', () => {
  // A copy, so that whoever looks for kernels in the repository meanwhile does not find this one.
  const root = mkdtempSync(join(tmpdir(), 'xlstm new kernel '));
  // Short and long names break lines at other places.
  const made = [
    { kernelPackage: 'tensor', name: parseKernelName('ab') },
    { kernelPackage: 'mlstm-kernels', name: parseKernelName('a-kernel-whose-name-is-longer-than-most') },
  ] as const;
  const folders: string[] = [];

  const copy = (path: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(join(repository, path), join(root, path), { recursive: true });
  };
  const link = (path: string) => symlinkSync(join(repository, path), join(root, path), 'dir');
  const run = (script: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(repository, 'node_modules', script), ...args],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    return { status, output: `${stdout}${stderr}` };
  };

  beforeAll(() => {
    for (const file of ['package.json', 'tsconfig.json', 'biome.json', 'vitest.config.ts']) copy(file);
    copy('tooling/tsconfig');
    copy('tooling/shader-text/shaders.d.ts');
    link('node_modules');
    for (const kernelPackage of KERNEL_PACKAGES) {
      copy(`packages/${kernelPackage}/package.json`);
      link(`packages/${kernelPackage}/node_modules`);
      copy(`packages/${kernelPackage}/src/grid.ts`);
    }
    for (const file of ['gradient.ts', 'scope.ts', 'tensor.ts']) copy(`packages/tensor/src/${file}`);
    for (const { kernelPackage, name } of made) folders.push(createKernel(root, templates, name, kernelPackage));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('holds the same files as an existing one, and nothing of the template', () => {
    // rms-norm has grown a second form; a new kernel begins with one.
    const furtherForm = /^kernel\..+\.wgsl$/;
    const existing = readdirSync(join(repository, 'packages/tensor/src/kernels/rms-norm'));
    const pattern = existing.filter((file) => !furtherForm.test(file)).sort();
    expect(folders).toEqual([
      'packages/tensor/src/kernels/ab',
      'packages/mlstm-kernels/src/kernels/a-kernel-whose-name-is-longer-than-most',
    ]);
    for (const folder of folders) {
      expect(readdirSync(join(root, folder)).sort()).toEqual(pattern);
      for (const file of pattern) expect(readFileSync(join(root, folder, file), 'utf8')).not.toMatch(/example.?scale/i);
    }
  });

  it('passes lint once formatted, whatever the length of its name', () => {
    const { status, output } = run('@biomejs/biome/bin/biome', 'check', '--write', ...folders);
    expect(output).not.toMatch(/error/i);
    expect(status, output).toBe(0);
  });

  it('passes the type check', () => {
    const { status, output } = run('typescript/bin/tsc', '-p', '.');
    expect(status, output).toBe(0);
  });

  it('passes its own test on every device that is here', () => {
    const { status, output } = run('vitest/vitest.mjs', 'run', '--root', root, '--reporter=default');
    expect(status, output).toBe(0);
    expect(output).toMatch(/Test Files .*2 passed/);
  });

  it('is refused where a folder of its name exists, in any package, and nothing changes', () => {
    for (const kernelPackage of KERNEL_PACKAGES) {
      expect(() => createKernel(root, templates, made[0].name, kernelPackage)).toThrow(
        /packages\/tensor\/src\/kernels\/ab exists already/,
      );
    }
    expect(existsSync(join(root, 'packages/mlstm-kernels/src/kernels/ab'))).toBe(false);
  });
});
