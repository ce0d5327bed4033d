import type { DeviceBuffer } from '@xlstm/device';
import type { GradientTarget } from './gradient.ts';
import type { Scope } from './scope.ts';
import type { Tensor } from './tensor.ts';

/**
 * Buffers to bind for outputs that nobody wants. WebGPU forbids one dummy for several bindings of which one is written,
 * so each gets its own; the kernel's parameter `outputs` says which are wanted, bit by bit in binding order.
 */
export class SpareOutputs {
  /** The bits of the wanted outputs among those that were asked for so far. */
  wanted = 0;
  readonly #scope: Scope;
  readonly #spares: Tensor[] = [];
  #asked = 0;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** The output's own buffer, or a spare one. */
  buffer(output: Tensor | GradientTarget | undefined): DeviceBuffer {
    const bit = 2 ** this.#asked++;
    if (output) {
      this.wanted += bit;
      return 'tensor' in output ? output.tensor.buffer : output.buffer;
    }
    const spare = this.#scope.tensor([4], 'fp32', 'unwanted output');
    this.#spares.push(spare);
    return spare.buffer;
  }

  /** Hands the spare buffers back, once the launch is queued. */
  release(): void {
    this.#scope.release(...this.#spares.splice(0));
  }
}
