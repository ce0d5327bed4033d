import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import * as tokenizerPackage from './index.ts';

const folder = new URL('../', import.meta.url);

const readme = readFileSync(new URL('README.md', folder), 'utf8');
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((block) => block[1]!);
const printing = examples.filter((example) => example.includes('console.log'));

it('has examples that print', () => expect(printing.length).toBe(2));

it.each(printing)('this example of the README runs and prints what it says:\n%s', async (example) => {
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
  expect(promised.length).toBeGreaterThan(0);
  expect(printed).toEqual(promised);
});
