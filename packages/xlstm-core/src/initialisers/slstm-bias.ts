import type { SlstmBiasInit } from '../config/layer-config.ts';
import { type Initialiser, uniform } from './initialisers.ts';

/** What the bias of an sLSTM cell is filled by. */
export interface SlstmBiasPlace {
  numHeads: number;
  headDim: number;
  blockIndex: number;
  numBlocks: number;
}

/** Gates in the order of the bias: input, forget, cell input, output. */
const GATES = 4;
const FORGET = 1;

/**
 * Forget-gate bias of one head dimension: `−(−5 + 12 · x^(0.3 + 1.3·r))`, x from 0 to 1 over the head, r from 0 to 1 over
 * the blocks: short memories and long ones in each head, more of the long in later blocks. xLSTM (2405.04517), appendix.
 */
function powerLaw(dim: number, { headDim, blockIndex, numBlocks }: SlstmBiasPlace): number {
  const ratio = numBlocks > 1 ? blockIndex / (numBlocks - 1) : 0;
  const x = headDim > 1 ? dim / (headDim - 1) : 0;
  return 5 - 12 * x ** (0.3 + 1.3 * ratio);
}

/** The bias `[gate, head, dim]` of a new sLSTM cell. */
export function slstmBias(init: SlstmBiasInit, place: SlstmBiasPlace): Initialiser {
  const { numHeads, headDim } = place;
  if (init === 'standard') return uniform(1 / Math.sqrt(numHeads * headDim));
  return (length) => {
    const bias = new Float32Array(length);
    if (init === 'zeros') return bias;
    const perGate = length / GATES;
    for (let at = 0; at < perGate; at++) {
      const dim = at % headDim;
      bias[FORGET * perGate + at] =
        init === 'powerlaw_blockdependent' ? powerLaw(dim, place) : 3 + (headDim > 1 ? (3 * dim) / (headDim - 1) : 0);
    }
    return bias;
  };
}
