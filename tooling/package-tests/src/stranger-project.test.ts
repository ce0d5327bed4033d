import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

const story = `
import { fromPretrained } from 'xlstm';
const model = await fromPretrained(${JSON.stringify(MODEL)}, { device: 'cpu' });
let text = '';
for await (const piece of model.generate('${PROMPT}', { maxNewTokens: 4, temperature: 0 })) text += piece.text;
await model.dispose();
console.log(text);`;

/** The one entry that is a script to be run, not a module to be imported. */
const WORKER_SCRIPT = 'xlstm/worker-entry';

/** The code blocks of a page of the site. */
function snippets(page: string, language: string): string[] {
  const markdown = readFileSync(join(repository, 'apps/docs/src', page), 'utf8');
  return [...markdown.matchAll(/```(\w+)\n([\s\S]*?)```/g)].flatMap(([, name, code]) =>
    name === language ? [code!] : [],
  );
}

const [PAGE_SCRIPT] = snippets('guide/browser.md', 'js');
const [PAGE_HTML, IMPORT_MAP] = snippets('guide/browser.md', 'html');

/** The page of the guide, with its script below another name or inside. */
function pageHtml(script: string): string {
  const tag = '<script type="module" src="./page.js"></script>';
  expect(PAGE_HTML).toContain(tag);
  return PAGE_HTML!.replace(tag, script).replace('<title>', '<link rel="icon" href="data:,"><title>');
}

let temporary = '';
let project = '';
let unavailable: string | undefined;

beforeAll(async () => {
  temporary = mkdtempSync(join(tmpdir(), 'xlstm-stranger-'));
  project = join(temporary, 'project');
  mkdirSync(project);
  cpSync(MODEL, join(project, 'models/stories'), { recursive: true });
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
    expect(await node(story, program)).toBe(`${CONTINUATION}\n`);
  });

  it("runs the site's examples", async () => {
    const told = await node(snippets('guide/node.md', 'js')[0]!, program);
    expect(told).toMatch(/^cpu.*\n there lived a king who had three sons\.[\s\S]*\nlength after 32 tokens\n$/);
    const [states] = snippets('concepts/states.md', 'js');
    const promised = [...states!.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((line) => `${line[1]}\n`);
    expect(await node(states!, program)).toBe(promised.join(''));
    const devices = (await node(snippets('concepts/devices.md', 'js')[0]!, program)).trim().split('\n');
    expect(devices.slice(0, -1).sort()).toEqual(['cpu', 'webgpu']);
  });

  it('imports every entry of every package', async () => {
    const entries = publicLibraries().flatMap(({ name, manifest }) =>
      Object.keys(manifest.exports!).map((subpath) => name + subpath.slice(1)),
    );
    const importable = entries.filter((entry) => entry !== WORKER_SCRIPT);
    const lines = importable.map((entry) => `found.push(Object.keys(await import('${entry}')).length);`);
    const found: number[] = JSON.parse(
      await node(`const found = []; ${lines.join('\n')}\nconsole.log(JSON.stringify(found));`, program),
    );
    expect(found).toHaveLength(entries.length - 1);
    expect(Math.min(...found)).toBeGreaterThan(0);
  });

  it("says so when the worker's script is imported instead of run", async () => {
    const told = await node(`await import('${WORKER_SCRIPT}').catch((error) => console.log(error.message));`, program);
    expect(told).toMatch(/this is what a worker runs; import xlstm\/worker instead/);
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

/** The packages that the modules of a folder import by name, at once or later. */
function importedNames(folder: string): string[] {
  const found = /^(?:import|export)\b[^'"]*['"]([^.'"][^'"]*)['"]|\bimport\(['"]([^.'"][^'"]*)['"]\)/gm;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
  const names = files.flatMap((file) => {
    const code = readFileSync(join(folder, file), 'utf8').replace(/^\s*(\*|\/\/|\/\*).*$/gm, '');
    return [...code.matchAll(found)];
  });
  return [...new Set(names.map(([, first, later]) => first ?? later!))].sort();
}

describe('in a page', () => {
  const imported = /^\s*(?:import|export)[^'"]*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  const importsOf = (code: string): string[] => [...code.matchAll(imported)].map(([, a, b]) => a ?? b!);

  it('works bundled by esbuild', async (context) => {
    writeFileSync(join(project, 'page.js'), PAGE_SCRIPT!);
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
    writeFileSync(join(outdir, 'index.html'), pageHtml('<script type="module" src="./page.js"></script>'));
    await expectStory(outdir, {}, context);
  });

  it('works bundled by Vite', async (context) => {
    const root = join(project, 'vite');
    mkdirSync(root);
    writeFileSync(join(root, 'page.js'), PAGE_SCRIPT!);
    writeFileSync(join(root, 'index.html'), pageHtml('<script type="module" src="./page.js"></script>'));
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
    const page = `<script type="module">${PAGE_SCRIPT}</script>`;
    // The guide's map has every name that the installed packages import, now or later, as it is installed.
    const [, written] = /<script type="importmap">([\s\S]*)<\/script>/.exec(IMPORT_MAP!)!;
    const { imports } = JSON.parse(written!) as { imports: Record<string, string> };
    const installed = importMap(project, '/node_modules').imports;
    expect(installed).toMatchObject(imports);
    const needed = publicLibraries().flatMap(({ name }) => importedNames(join(project, 'node_modules', name, 'dist')));
    expect(needed).toEqual(expect.arrayContaining(['@xlstm/device/dtypes', 'yaml']));
    expect(needed.filter((name) => imports[name] === undefined)).toEqual([]);
    writeFileSync(join(root, 'index.html'), pageHtml(`${IMPORT_MAP}${page}`));
    await expectStory(root, { '/node_modules/': join(project, 'node_modules') }, context);
  });

  async function expectStory(
    root: string,
    more: Record<string, string>,
    context: { skip: (reason: string) => never },
  ): Promise<void> {
    if (!findChromium()) context.skip('there is no Chromium here; the bundle was made and looked at');
    await openPage({ '/': root, ...more }, async (page, origin) => {
      await page.goto(origin);
      const files = readdirSync(MODEL).map((name) => join(MODEL, name));
      await page.locator('#files').setInputFiles(files);
      const text = page.locator('#text', { hasText: CONTINUATION.trim() });
      await text.waitFor({ timeout: 45_000 });
      expect(await text.textContent()).toMatch(/^cpu.*\n there lived a king/);
    });
  }
});
