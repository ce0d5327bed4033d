#!/usr/bin/env node
// The one door to every task (npm start, npm test, npm run …). It runs before anything is installed, so it
// uses Node's own modules only, and checks Node's version before it loads code that an old Node cannot parse.
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const wanted = manifest.engines.node.replace('>=', '');
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);

if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
  console.error(
    `setup: expected Node ${wanted} or newer, got ${process.versions.node}; install a current Node from https://nodejs.org`,
  );
  process.exitCode = 1;
} else {
  import('./src/main.mjs').then(({ main }) => main(process.argv.slice(2)));
}
