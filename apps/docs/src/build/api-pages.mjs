// The API pages: typedoc reads the packages' sources, so that no build is needed, and writes Markdown into src/api/.
// typedoc needs the compiler's JavaScript interface, which TypeScript 7 has not; this package has an older TypeScript
// for it alone.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Application } from 'typedoc';

const packageFolder = fileURLToPath(new URL('../../', import.meta.url));

/** In the order of the site: what most people install first. */
export const documented = [
  'xlstm',
  '@xlstm/xlstm-large',
  '@xlstm/xlstm-core',
  '@xlstm/mlstm-kernels',
  '@xlstm/tensor',
  '@xlstm/device',
  '@xlstm/tokenizer',
  '@xlstm/loaders',
];

export async function writeApiPages() {
  const entries = `${packageFolder}api-entries`;
  rmSync(entries, { recursive: true, force: true });
  rmSync(`${packageFolder}src/api`, { recursive: true, force: true });
  mkdirSync(entries);
  const entryPoints = documented.map((name) => {
    const folder = name.replace('@xlstm/', '');
    const { description } = JSON.parse(readFileSync(`${packageFolder}../../packages/${folder}/package.json`, 'utf8'));
    const file = `${entries}/${folder}.ts`;
    // A module of its own gives the package its name in the pages, whatever its entry file is called.
    writeFileSync(file, `/**\n * ${description}\n *\n * @module ${name}\n */\nexport * from '${name}';\n`);
    return file;
  });
  const application = await Application.bootstrapWithPlugins({
    entryPoints,
    tsconfig: `${packageFolder}tsconfig.json`,
    plugin: ['typedoc-plugin-markdown'],
    name: 'API',
    readme: 'none',
    logLevel: 'Warn',
    // Names that stay inside a package are not public; that they appear in signatures is fine.
    validation: { notExported: false, invalidLink: true, notDocumented: false },
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    sort: ['alphabetical'],
    groupOrder: ['Functions', 'Classes', 'Interfaces', 'Type Aliases', 'Variables', '*'],
    categorizeByGroup: true,
    out: `${packageFolder}src/api`,
    entryFileName: 'index',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    expandObjects: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    classPropertiesFormat: 'table',
    propertyMembersFormat: 'table',
    router: 'module',
  });
  const project = await application.convert();
  if (!project) throw new Error('docs: typedoc could not read the packages; see above');
  await application.generateOutputs(project);
  if (application.logger.hasErrors()) throw new Error('docs: typedoc found errors; see above');
}
