import { packagePages } from '../build/repository-pages.mjs';

export default {
  watch: ['../../../../packages/*/README.md'],
  paths: () => packagePages().map(({ slug, content }) => ({ params: { package: slug }, content })),
};
