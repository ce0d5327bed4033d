export { constant, type Initialiser, linspace, normal, smallInit, uniform, wangInit } from './initialisers.ts';
