import { benchmarkPages } from '../build/repository-pages.mjs';

export default {
  watch: ['../../../../docs/benchmarks/*.md'],
  paths: () => benchmarkPages().map(({ slug, content }) => ({ params: { benchmark: slug }, content })),
};
