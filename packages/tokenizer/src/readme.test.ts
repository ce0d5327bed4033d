import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import * as tokenizerPackage from './index.ts';

const folder = new URL('../', import.meta.url);

it('the example at the top of the README runs and prints what it says', async () => {
  const readme = await readFile(new URL('README.md', folder), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const printed: string[] = [];
  const scope = {
    ...tokenizerPackage,
    readFile: (path: string, encoding: 'utf8') => readFile(new URL(path, folder), encoding),
    console: { log: (value: unknown) => printed.push(JSON.stringify(value)) },
  };
  const imports = [...example.matchAll(/^import \{ (.*) \} from '.*';$/gm)].flatMap((line) => line[1]!.split(', '));
  for (const name of imports) expect(scope).toHaveProperty(name);

  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as FunctionConstructor;
  await AsyncFunction(...Object.keys(scope), example.replace(/^import .*$/gm, ''))(...Object.values(scope));
  const promised = [...example.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((line) => line[1]);
  expect(promised.length).toBe(2);
  expect(printed).toEqual(promised);
});
