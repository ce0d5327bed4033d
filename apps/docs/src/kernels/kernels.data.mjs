import { kernelPages } from '../build/repository-pages.mjs';

export default {
  watch: ['../../../../packages/*/src/kernels/*/README.md'],
  load: () => kernelPages().map((page) => ({ slug: page.slug, package: page.package })),
};
