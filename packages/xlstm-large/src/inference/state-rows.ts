import type { DeviceBuffer } from '@xlstm/device';
import type { XlstmState } from '../state.ts';

/**
 * Copies what one sequence remembers from a row of one state into a row of another, on the device: of every block its
 * part of the planes `C [B, NH, DHQK, DHHV] | n [B, NH, DHQK] | m [B, NH]`, and its last logits.
 */
export function copyStateRow(source: XlstmState, sourceRow: number, target: XlstmState, targetRow: number): void {
  const { device, config, dims } = source;
  const { numHeads, vocabSize } = config;
  const planes = [numHeads * dims.DHQK * dims.DHHV, numHeads * dims.DHQK, numHeads];
  const copyPart = (from: DeviceBuffer, to: DeviceBuffer, widths: readonly number[]): void => {
    let [sourceStart, targetStart] = [0, 0];
    for (const width of widths) {
      device.copy(from, to, sourceStart + sourceRow * width, targetStart + targetRow * width, width);
      sourceStart += source.batch * width;
      targetStart += target.batch * width;
    }
  };
  source.blocks.forEach((block, at) => {
    copyPart(block, target.blocks[at]!, planes);
  });
  copyPart(source.logits, target.logits, [vocabSize]);
}
