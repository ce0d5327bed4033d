// npm run docs: writes the API pages, then builds the site into dist/. With --dev it is served and follows the pages
// as they are edited, with --serve the built site is served.
import { fileURLToPath } from 'node:url';
import { build, createServer, serve } from 'vitepress';
import { writeApiPages } from './build/api-pages.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));
const args = process.argv.slice(2);
const unknown = args.filter((arg) => !['--dev', '--serve'].includes(arg));

if (unknown.length > 0) {
  console.error(`docs: expected --dev, --serve or nothing, got ${unknown.join(' ')}`);
  process.exitCode = 2;
} else if (args.includes('--serve')) {
  await serve({ root });
} else {
  await writeApiPages();
  if (args.includes('--dev')) {
    const server = await createServer(root);
    await server.listen();
    server.printUrls();
    server.bindCLIShortcuts({ print: true });
  } else {
    await build(root);
    console.log('The site is in apps/docs/dist; npm run docs -- --serve shows it.');
  }
}
