import { createWebGpuDevice, DeviceError, type WebGpuDevice } from '@xlstm/device';
import { type ByteSource, blobSource } from '@xlstm/loaders';
import type { GoldenCase } from '../golden-case.ts';
import { messageOf, type Result } from '../record.ts';
import { runCase } from '../run-case.ts';

/** A case as a page is told of it: its files lie below `url`, those of its corpus at `corpus`. */
export interface ServedCase {
  name: string;
  url: string;
  names: readonly string[];
  /** Addresses by file name. */
  corpus: Readonly<Record<string, string>>;
}

/** What the page tells, in this order: the device or why there is none, then each case and its results. */
export type PageReport =
  | { type: 'present'; name: string }
  | { type: 'absent'; reason: string }
  | { type: 'case'; index: number; name: string }
  | { type: 'results'; results: Result[] };

async function fetchSource(url: string, name: string): Promise<ByteSource> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${name}: the server answered ${response.status}`);
  return blobSource(await response.blob(), name.slice(name.lastIndexOf('/') + 1));
}

function goldenCase({ name, url, names, corpus }: ServedCase): GoldenCase {
  return {
    name,
    files: {
      names,
      open: (file) => fetchSource(`${url}/${file.split('/').map(encodeURIComponent).join('/')}`, file),
      async corpus(file) {
        const address = corpus[file];
        return address === undefined ? undefined : fetchSource(address, file);
      },
    },
  };
}

/** Runs cases on the page's WebGPU. */
export async function runCases(
  cases: readonly ServedCase[],
  report: (report: PageReport) => Promise<void>,
): Promise<void> {
  let device: WebGpuDevice;
  try {
    device = await createWebGpuDevice();
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    await report({ type: 'absent', reason: messageOf(error) });
    return;
  }
  try {
    await report({ type: 'present', name: device.name });
    for (const [index, served] of cases.entries()) {
      await report({ type: 'case', index, name: served.name });
      const devices = [{ name: 'chromium', device }];
      for await (const results of runCase(goldenCase(served), devices, 'host in chromium')) {
        await report({ type: 'results', results });
      }
    }
  } finally {
    device.dispose();
  }
}
