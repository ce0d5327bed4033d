import * as device from '@xlstm/device';
import * as loaders from '@xlstm/loaders';
import { expect, it } from 'vitest';
import * as xlstm from './index.ts';

it('exports every class of errors, so that who installs xlstm alone can tell them apart', () => {
  const errors = Object.entries({ ...device, ...loaders }).filter(
    ([, value]) => typeof value === 'function' && (value === Error || value.prototype instanceof Error),
  );
  expect(errors.map(([name]) => name)).toEqual(
    expect.arrayContaining(['StateError', 'OutOfMemoryError', 'TransferError']),
  );
  expect(xlstm).toMatchObject(Object.fromEntries(errors));
});
