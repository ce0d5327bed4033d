import { defineConfig } from 'vitepress';
import { documented } from '../build/api-pages.mjs';
import { benchmarkPages, kernelPages, packagePages } from '../build/repository-pages.mjs';

const kernels = kernelPages();
const owners = [...new Set(kernels.map((page) => page.package))];

const guide = [
  {
    text: 'Guide',
    items: [
      { text: 'Start', link: '/guide/start' },
      { text: 'In Node', link: '/guide/node' },
      { text: 'In a page', link: '/guide/browser' },
      { text: 'Training', link: '/guide/training' },
      { text: 'xlstm-train', link: '/guide/trainer' },
      { text: 'Command line', link: '/guide/cli' },
      { text: 'Formats', link: '/guide/formats' },
    ],
  },
  {
    text: 'Concepts',
    items: [
      { text: 'States', link: '/concepts/states' },
      { text: 'Devices', link: '/concepts/devices' },
      { text: 'Dtypes', link: '/concepts/dtypes' },
    ],
  },
  { text: 'Packages', items: packagePages().map(({ slug, title }) => ({ text: title, link: `/packages/${slug}` })) },
];

export default defineConfig({
  title: 'xLSTM',
  description: 'xLSTM language models from JavaScript: WebGPU in Node and browsers, and a bare CPU.',
  lang: 'en',
  outDir: '../dist',
  cleanUrls: true,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  markdown: { languageAlias: { wgsl: 'rust' } },
  // docsearch and the like would send what readers type elsewhere; this index is part of the site.
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Guide', link: '/guide/start', activeMatch: '^/(guide|concepts|packages)/' },
      { text: 'API', link: '/api/xlstm', activeMatch: '^/api/' },
      { text: 'Kernels', link: '/kernels/', activeMatch: '^/kernels/' },
      { text: 'Benchmarks', link: '/benchmarks/first-light', activeMatch: '^/benchmarks/' },
    ],
    sidebar: {
      '/guide/': guide,
      '/concepts/': guide,
      '/packages/': guide,
      '/api/': [{ text: 'API', items: documented.map((name) => ({ text: name, link: `/api/${name}` })) }],
      '/kernels/': [
        { text: 'Kernels', link: '/kernels/' },
        ...owners.map((owner) => ({
          text: owner,
          items: kernels
            .filter((page) => page.package === owner)
            .map(({ slug }) => ({ text: slug, link: `/kernels/${slug}` })),
        })),
      ],
      '/benchmarks/': [
        {
          text: 'Benchmarks',
          items: benchmarkPages().map(({ slug, title }) => ({ text: title, link: `/benchmarks/${slug}` })),
        },
      ],
    },
    footer: { message: 'Apache-2.0' },
  },
});
