import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData, type Package } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PackedPackage, packPackages } from './pack.ts';
import { type Exports, publicLibraries, publicPackages, readManifest, repository } from './public-packages.ts';

const SOURCE = '@xlstm/source';

describe.each(publicPackages())('the manifest of $name', ({ manifest }) => {
  it('says what it is, for whom, and under which licence', () => {
    expect(manifest.description).toMatch(/^\S.*\.$/);
    expect(manifest.keywords?.length).toBeGreaterThan(3);
    expect(manifest.license).toBe('Apache-2.0');
    expect(manifest.type).toBe('module');
    expect(manifest.sideEffects).toBe(false);
    expect(manifest.engines?.node).toBe(readManifest(join(repository, 'package.json')).engines?.node);
    expect(manifest.files?.[0]).toBe('dist');
    expect(manifest.publishConfig?.access).toBe('public');
  });
});

it.each(publicLibraries())('$name is published with the exports it has here, without the sources', ({ manifest }) => {
  const published = Object.entries(manifest.exports!).map(([subpath, target]) => {
    const conditions = Object.entries(target as Record<string, string>);
    expect(conditions[0]![0], `${subpath}: the sources come first, so that the repository needs no build`).toBe(SOURCE);
    return [subpath, conditions.filter(([condition]) => condition !== SOURCE)] as const;
  });
  const wanted: Exports = Object.fromEntries(published.map(([path, kept]) => [path, Object.fromEntries(kept)]));
  // Beside exports in package.json there is publishConfig.exports, which pnpm puts in its place when it packs.
  expect(manifest.publishConfig?.exports).toEqual(wanted);
  for (const [, [first]] of published) expect(first![0]).toBe('types');
});

describe('the tarballs', () => {
  let folder: string;
  let packed: PackedPackage[];
  const contents = new Map<string, Package>();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'xlstm packed '));
    packed = await packPackages(folder);
    for (const { name, tarball } of packed) {
      contents.set(name, createPackageFromTarballData(new Uint8Array(readFileSync(tarball))));
    }
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(publicPackages())('$name holds its licence, its README and what was built, nothing else', ({ name }) => {
    const tarball = contents.get(name)!;
    const files = tarball.listFiles().map((file) => file.slice(`/node_modules/${name}/`.length));
    expect(files).toContain('LICENSE');
    expect(files).toContain('README.md');
    const other = files.filter(
      (file) => !/^(dist|models|configs)\/|^(LICENSE|README\.md|CHANGELOG\.md|package\.json)$/.test(file),
    );
    expect(other).toEqual([]);
    expect(files.filter((file) => /\.(test|bench)\.|\/spec\.|testing\/|\.tsbuildinfo$/.test(file))).toEqual([]);
    const manifest = tarball.readFile(`/node_modules/${name}/package.json`);
    expect(manifest).not.toContain(SOURCE);
    expect(manifest).not.toContain('workspace:');
  });

  it.each(publicPackages())('publint finds nothing in $name', async ({ name }) => {
    const { tarball } = packed.find((each) => each.name === name)!;
    const bytes = readFileSync(tarball);
    const { messages, pkg } = await publint({
      pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
      strict: true,
    });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it.each(publicLibraries())('Are the Types Wrong finds nothing in $name for ESM', async ({ name, manifest }) => {
    const result = await checkPackage(contents.get(name)!);
    if (result.types === false) throw new Error(`${name}: expected types, found none`);
    expect(Object.keys(result.entrypoints).sort()).toEqual(Object.keys(manifest.exports!).sort());
    for (const [subpath, { resolutions }] of Object.entries(result.entrypoints)) {
      for (const kind of ['node16-esm', 'bundler'] as const) {
        expect(resolutions[kind].resolution?.isTypeScript, `${subpath} ${kind}`).toBe(true);
        expect(resolutions[kind].implementationResolution, `${subpath} ${kind}`).toBeDefined();
      }
    }
    // The profile "esm-only": require() and the resolution of Node 10 are not offered.
    const problems = result.problems.filter(
      (problem) =>
        !(
          ('resolutionKind' in problem && ['node10', 'node16-cjs'].includes(problem.resolutionKind)) ||
          ('resolutionOption' in problem && problem.resolutionOption === 'node10')
        ),
    );
    expect(problems).toEqual([]);
  });
});
