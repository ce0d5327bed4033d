import { FACADE_BUDGET, measureFacade, measurePackages, type Size } from './bundle-sizes.ts';

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`.padStart(10);
const row = (name: string, own: Size, whole: Size): string =>
  name.padEnd(22) + [own.minified, own.gzip, whole.minified, whole.gzip].map(kilobytes).join('  ');

console.log('Bundled for browsers by esbuild; min is minified, gzip is that compressed.');
console.log(
  ''.padEnd(22) + ['own min', 'own gzip', 'whole min', 'whole gzip'].map((head) => head.padStart(10)).join('  '),
);
for (const { name, own, whole } of await measurePackages()) console.log(row(name, own, whole));

const { gzip } = await measureFacade();
const verdict = gzip < FACADE_BUDGET ? 'within' : 'OVER';
console.log(
  `A page that uses xlstm: ${kilobytes(gzip).trim()} compressed, ${verdict} the budget of ${kilobytes(FACADE_BUDGET).trim()}.`,
);
if (gzip >= FACADE_BUDGET) process.exitCode = 1;
