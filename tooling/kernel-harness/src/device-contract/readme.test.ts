import { readFile } from 'node:fs/promises';
import * as devicePackage from '@xlstm/device';
import { expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';

const readme = new URL('../../../../packages/device/README.md', import.meta.url);

await describeDevices("the device package's README", (_device, kind) => {
  it('starts with an example that runs and prints what it says', async () => {
    const example = /^```ts\n([\s\S]*?)```/m.exec(await readFile(readme, 'utf8'))?.[1] ?? '';
    const imports = [...example.matchAll(/^import \{ (.*) \} from '@xlstm\/device';$/gm)];
    expect(imports.flatMap((line) => line[1]!.split(', '))).toEqual(['defineKernel', 'selectDevice']);

    const printed: string[] = [];
    const scope = {
      defineKernel: devicePackage.defineKernel,
      // On every device, whatever "auto" would take.
      selectDevice: () => devicePackage.selectDevice(kind),
      console: { log: (value: unknown) => printed.push(JSON.stringify(value)) },
    };
    // The only TypeScript in it is the non-null assertion.
    const body = example.replace(/^import .*$/gm, '').replaceAll(']!', ']');
    const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as FunctionConstructor;
    await AsyncFunction(...Object.keys(scope), body)(...Object.values(scope));

    const promised = [...example.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((line) => line[1]);
    expect(promised).toHaveLength(2);
    expect(printed).toEqual(promised);
  });
});
