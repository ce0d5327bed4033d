import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium } from '@xlstm-tooling/browser-tests';
import { build as esbuild } from 'esbuild';
import { build as viteBuild } from 'vite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { importMap, installedPackages, installProject, NoRegistryError } from './new-project.ts';
import { openPage } from './open-page.ts';
import { findNode } from './other-node.ts';
import { packPackages } from './pack.ts';
import { publicLibraries, publicPackages, repository } from './public-packages.ts';
import { runProgram } from './run-program.ts';

const MODEL = join(repository, 'apps/cli/models/stories');
const PROMPT = 'Once upon a time';
const CONTINUATION = ' there lived a king';

/** What a page or a Node program does with the façade; `files` gives the model. */
const tell = (files: string): string => `
import { fromPretrained } from 'xlstm';
const model = await fromPretrained(${files}, { device: 'cpu' });
let text = '';
for await (const piece of model.generate('${PROMPT}', { maxNewTokens: 4, temperature: 0 })) text += piece.text;
await model.dispose();`;

/** The page's part: the model's files come from the network, what was told goes into the title. */
const PAGE = `
import { blobSource, openCheckpoint } from '@xlstm/loaders';
const names = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json',
  'model.safetensors.index.json', ...[1, 2, 3].map((n) => 'model-0000' + n + '-of-00003.safetensors')];
const sources = await Promise.all(
  names.map(async (name) => blobSource(await (await fetch('/model/' + name)).blob(), name)),
);
const checkpoint = await openCheckpoint(sources);
${tell('checkpoint')}
document.title = text;
`;

const html = (head: string): string =>
  `<!doctype html><meta charset="utf-8"><title>waiting</title><link rel="icon" href="data:,">${head}`;

let temporary = '';
let project = '';
let unavailable: string | undefined;

beforeAll(async () => {
  temporary = mkdtempSync(join(tmpdir(), 'xlstm-stranger-'));
  project = join(temporary, 'project');
  mkdirSync(project);
  const packed = await packPackages(join(temporary, 'tarballs'));
  try {
    await installProject(project, packed);
  } catch (error) {
    if (!(error instanceof NoRegistryError) || process.env.CI) throw error;
    unavailable = 'npm cannot reach its registry, so nothing can be installed';
  }
}, 400_000);
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
beforeEach((context) => {
  if (unavailable !== undefined) context.skip(unavailable);
});

const node = (script: string, program = process.execPath): Promise<string> => {
  writeFileSync(join(project, 'script.mjs'), script);
  return runProgram(program, ['script.mjs'], { cwd: project }).then(({ stdout }) => stdout);
};

it('installs without the optional package webgpu and says so', async () => {
  expect([...installedPackages(project).keys()]).toEqual(
    expect.arrayContaining(publicPackages().map(({ name }) => name)),
  );
  expect(existsSync(join(project, 'node_modules/webgpu'))).toBe(false);
  // A driver is named, so that Dawn is asked for; that it is not installed has to be said, and auto goes on.
  const stdout = await node(`
    process.env.VK_ICD_FILENAMES = 'a-driver.json';
    const { selectDevice } = await import('@xlstm/device');
    const { device, reason } = await selectDevice('auto');
    const named = await selectDevice('webgpu').catch((error) => error);
    console.log(JSON.stringify({ kind: device.kind, reason, error: [named.name, named.message] }));`);
  const { kind, reason, error } = JSON.parse(stdout) as { kind: string; reason: string; error: [string, string] };
  expect(kind).toBe('cpu');
  expect(reason).toMatch(/webgpu.*could not be loaded/);
  expect(error[0]).toBe('DeviceError');
  expect(error[1]).toMatch(/"webgpu".*install it, or use device cpu/);
});

describe.each([20, 22, 24])('on Node %i', (major) => {
  let program = '';
  let lacking: string | undefined;
  beforeAll(async () => {
    if (unavailable !== undefined) return;
    try {
      program = await findNode(major);
    } catch (error) {
      lacking = `Node ${major} is not here: ${(error as Error).message.split('\n')[0]}`;
    }
  });
  beforeEach((context) => {
    if (lacking !== undefined) context.skip(lacking);
  });

  it('streams a text with xlstm', async () => {
    expect(await node(`${tell(JSON.stringify(MODEL))}\nconsole.log(text);`, program)).toBe(`${CONTINUATION}\n`);
  });

  it('imports every entry of every package', async () => {
    const entries = publicLibraries().flatMap(({ name, manifest }) =>
      Object.keys(manifest.exports!).map((subpath) => name + subpath.slice(1)),
    );
    const lines = entries.map((entry) => `found.push(Object.keys(await import('${entry}')).length);`);
    const found: number[] = JSON.parse(
      await node(`const found = []; ${lines.join('\n')}\nconsole.log(JSON.stringify(found));`, program),
    );
    expect(found).toHaveLength(entries.length);
    expect(Math.min(...found)).toBeGreaterThan(0);
  });

  it('has the command xlstm with its built-in model', async () => {
    const args = ['generate', '--device', 'cpu', '--prompt', PROMPT, '--temperature', '0', '--max-new-tokens', '4'];
    const command = join(project, 'node_modules/@xlstm/cli/dist/main.js');
    expect(existsSync(join(project, 'node_modules/.bin/xlstm'))).toBe(true);
    const { stdout } = await runProgram(program, [command, ...args], { cwd: project });
    expect(stdout.trimEnd()).toBe(CONTINUATION);
  });
});

it.each(['nodenext', 'bundler'])('has types that a strict TypeScript project accepts, with %s', async (resolution) => {
  const imports = publicLibraries().flatMap(({ name, manifest }) =>
    Object.keys(manifest.exports!).map((subpath) => name + subpath.slice(1)),
  );
  const source = `
    ${imports.map((name, index) => `export * as all${index} from '${name}';`).join('\n')}
    import { fromPretrained } from 'xlstm';
    const model = await fromPretrained('folder');
    for await (const { text, tokenIds } of model.generate('', { maxNewTokens: 1 })) {
      const both: [string, readonly number[]] = [text, tokenIds];
      console.log(both);
    }
    // @ts-expect-error: no such option
    model.generate('', { maxTokens: 1 });`;
  writeFileSync(join(project, 'typed.mts'), source);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    target: 'es2023',
    lib: ['es2023', 'esnext.disposable', 'dom', 'dom.iterable'],
    types: [],
    module: resolution === 'nodenext' ? 'nodenext' : 'esnext',
    moduleResolution: resolution,
    skipLibCheck: false,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.mts'] }));
  const tsc = join(repository, 'node_modules/typescript/bin/tsc');
  await runProgram(process.execPath, [tsc, '-p', '.'], { cwd: project });
});

describe('in a page', () => {
  const imported = /^\s*(?:import|export)[^'"]*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  const importsOf = (code: string): string[] => [...code.matchAll(imported)].map(([, a, b]) => a ?? b!);

  it('works bundled by esbuild', async (context) => {
    writeFileSync(join(project, 'page.js'), PAGE);
    const outdir = join(project, 'out-esbuild');
    const { warnings } = await esbuild({
      absWorkingDir: project,
      entryPoints: ['page.js'],
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      outdir,
      logLevel: 'silent',
    });
    expect(warnings).toEqual([]);
    expect(importsOf(readFileSync(join(outdir, 'page.js'), 'utf8'))).toEqual([]);
    writeFileSync(join(outdir, 'index.html'), html('<script type="module" src="/page.js"></script>'));
    await expectStory(outdir, {}, context);
  });

  it('works bundled by Vite', async (context) => {
    const root = join(project, 'vite');
    mkdirSync(root);
    writeFileSync(join(root, 'page.js'), PAGE);
    writeFileSync(join(root, 'index.html'), html('<script type="module" src="/page.js"></script>'));
    const warnings: string[] = [];
    const keep = (message: string): void => void warnings.push(message);
    await viteBuild({
      root,
      configFile: false,
      logLevel: 'silent',
      customLogger: {
        info: () => {},
        warn: keep,
        warnOnce: keep,
        error: keep,
        clearScreen: () => {},
        hasErrorLogged: () => false,
        hasWarned: false,
      },
    });
    // The page is larger than half a megabyte only if something that it does not need came along.
    expect(warnings).toEqual([]);
    await expectStory(join(root, 'dist'), {}, context);
  });

  it('works without a bundler, by an import map', async (context) => {
    const root = join(project, 'plain');
    mkdirSync(root);
    const map = JSON.stringify(importMap(project, '/node_modules'));
    writeFileSync(
      join(root, 'index.html'),
      html(`<script type="importmap">${map}</script><script type="module">${PAGE}</script>`),
    );
    await expectStory(root, { '/node_modules/': join(project, 'node_modules') }, context);
  });

  async function expectStory(
    root: string,
    more: Record<string, string>,
    context: { skip: (reason: string) => never },
  ): Promise<void> {
    if (!findChromium()) context.skip('there is no Chromium here; the bundle was made and looked at');
    await openPage({ '/': root, '/model/': MODEL, ...more }, async (page, origin) => {
      await page.goto(origin);
      await page.waitForFunction("document.title !== 'waiting'", undefined, { timeout: 45_000 });
      expect(await page.title()).toBe(CONTINUATION.trim());
    });
  }
});
