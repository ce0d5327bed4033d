export { bundlePage } from './bundle-page.ts';
export { findChromium } from './find-chromium.ts';
export { type ChromiumRun, runInChromium } from './run-in-chromium.ts';
export type { ServedFile } from './serve-files.ts';
