export * from './dtypes/index.ts';
export * from './errors.ts';
