import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findChromium, runInChromium, type ServedFile } from '@xlstm-tooling/browser-tests';
import { type CaseFolder, corpusFolder } from '../case-folder.ts';
import type { Result } from '../record.ts';
import type { PageReport, ServedCase } from './page-cases.ts';

/** What is heard of the page. */
export interface PageListener {
  present(name: string): void;
  absent(reason: string): void;
  progress(text: string): void;
  results(results: readonly Result[]): void;
}

/** The page's module as source: the built command lies in `dist` as this file lies in `src`. */
const PAGE_CASES = resolve(import.meta.dirname, '../../src/page/page-cases.ts');

function serve(cases: readonly CaseFolder[]): { files: Record<string, ServedFile>; served: ServedCase[] } {
  const files: Record<string, ServedFile> = {};
  const served = cases.map(({ name, folder, files: { names } }, index) => {
    const url = `/cases/${index}`;
    const at = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
    for (const file of names) files[`${url}/${at(file)}`] = { path: join(folder, file) };
    const corpus: Record<string, string> = {};
    const beside = corpusFolder(folder);
    for (const file of existsSync(beside) ? readdirSync(beside) : []) {
      corpus[file] = `/corpus/${index}/${encodeURIComponent(file)}`;
      files[corpus[file]!] = { path: join(beside, file) };
    }
    return { name, url, names, corpus };
  });
  return { files, served };
}

/** Runs cases on WebGPU in a headless Chromium: the very same code, reading its files over HTTP. */
export async function runInPage(cases: readonly CaseFolder[], listener: PageListener): Promise<void> {
  if (!findChromium()) {
    listener.absent('no Chromium is on this machine; install one, or name it with CHROME_PATH');
    return;
  }
  const { files, served } = serve(cases);
  await runInChromium<PageReport>({
    entry: [
      `import { runCases } from ${JSON.stringify(PAGE_CASES)};`,
      `export default (report) => runCases(${JSON.stringify(served)}, report);`,
    ].join('\n'),
    files,
    onResult: (report) => {
      if (report.type === 'present') listener.present(report.name);
      else if (report.type === 'absent') listener.absent(report.reason);
      else if (report.type === 'case')
        listener.progress(`${report.index + 1}/${cases.length} ${report.name} in chromium`);
      else listener.results(report.results);
    },
  });
}
