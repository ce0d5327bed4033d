import { Arena, createCpuDevice, OptionError } from '@xlstm/device';
import { Scope } from '@xlstm/tensor';
import { expect, it } from 'vitest';
import { slstmCell } from './slstm-cell.ts';

it('refuses a bound on gradients that is none, also where no gradient is asked for', () => {
  const scope = new Scope(new Arena(createCpuDevice()));
  const inputs = { x: scope.tensor([1, 2, 16]), recurrent: scope.tensor([2, 8, 2]), bias: scope.tensor([16]) };
  for (const gradientRecurrentClipval of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    const run = () => slstmCell(scope, inputs, { heads: 2, gradientRecurrentClipval });
    expect(run).toThrow(OptionError);
    expect(run).toThrow(/slstmCell: gradientRecurrentClipval must be a finite number > 0/);
  }
});
