import { kernelPages } from '../build/repository-pages.mjs';

export default {
  watch: ['../../../../packages/*/src/kernels/*/README.md'],
  paths: () => kernelPages().map(({ slug, content }) => ({ params: { kernel: slug }, content })),
};
