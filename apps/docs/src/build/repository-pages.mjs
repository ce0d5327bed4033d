// Pages that are files of the repository: kernel folders, packages, benchmarks. Each is written once, beside what it
// describes, and shown here.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * @typedef {object} RepositoryPage
 * @property {string} slug the page's file name on the site
 * @property {string} title
 * @property {string} source the file's path in the repository
 * @property {string} content Markdown
 */

/** Every kernel's README. @returns {(RepositoryPage & { package: string })[]} */
export function kernelPages() {
  return folders('packages').flatMap((name) =>
    folders(`packages/${name}/src/kernels`)
      .filter((kernel) => existsSync(`${repository}packages/${name}/src/kernels/${kernel}/README.md`))
      .map((kernel) => ({
        ...readPage(`packages/${name}/src/kernels/${kernel}/README.md`, kernel),
        package: `@xlstm/${name}`,
      })),
  );
}

/** Every published library's README. @returns {RepositoryPage[]} */
export function packagePages() {
  return folders('packages').map((name) => readPage(`packages/${name}/README.md`, name));
}

/** docs/benchmarks. @returns {RepositoryPage[]} */
export function benchmarkPages() {
  return readdirSync(`${repository}docs/benchmarks`)
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => readPage(`docs/benchmarks/${file}`, basename(file, '.md')));
}

/** @returns {RepositoryPage} */
function readPage(/** @type {string} */ source, /** @type {string} */ slug) {
  const content = withLinksToSite(readFileSync(`${repository}${source}`, 'utf8'), source);
  return { slug, title: /^# (.*)$/m.exec(content)?.[1] ?? slug, source, content };
}

/**
 * A link to another file of the repository becomes one to its page; where it has none, its text stays.
 * @param {string} markdown
 * @param {string} source
 */
function withLinksToSite(markdown, source) {
  return markdown.replace(/\[([^\]]+)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)/g, (_, text, target, anchor = '') => {
    const path = relative(repository, fileURLToPath(new URL(target, `file://${repository}${dirname(source)}/`)));
    const benchmark = /^docs\/benchmarks\/(.*)\.md$/.exec(path);
    if (benchmark) return `[${text}](/benchmarks/${benchmark[1]}${anchor})`;
    const kernel = /^packages\/[^/]+\/src\/kernels\/([^/]+)/.exec(path);
    if (kernel) return `[${text}](/kernels/${kernel[1]}${anchor})`;
    const packageFolder = /^packages\/([^/]+)(\/README\.md)?$/.exec(path);
    if (packageFolder) return `[${text}](/packages/${packageFolder[1]}${anchor})`;
    return text;
  });
}

/** @returns {string[]} */
function folders(/** @type {string} */ path) {
  if (!existsSync(`${repository}${path}`)) return [];
  return readdirSync(`${repository}${path}`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
