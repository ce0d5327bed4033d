import { StateError } from '@xlstm/device';
import type { XLSTMLarge } from './model.ts';
import { stateBytes, type XlstmState } from './state.ts';
import { checksum, readStateHeader } from './state-format.ts';

/**
 * `state.export()` for a state of this model.
 *
 * @throws StateError for another model's state; DisposedError, DeviceLostError
 * @example
 * ```ts
 * await writeFile('chat.state', await exportState(model, state))
 * ```
 */
export async function exportState(model: XLSTMLarge, state: XlstmState): Promise<Uint8Array<ArrayBuffer>> {
  if (state.model !== model.fingerprint) {
    throw new StateError(
      `exportState: the state is of model ${state.model}, this model is ${model.fingerprint}; call state.export()`,
    );
  }
  return state.export();
}

/**
 * Makes a state of `model` from bytes that `state.export()` gave, here or elsewhere. Nothing is allocated on the device
 * before all of it has been checked.
 *
 * @throws StateError for a state of another model, version or dtype, and for cut or damaged bytes.
 */
export function importState(model: XLSTMLarge, bytes: Uint8Array): XlstmState {
  const { header, payloadOffset } = readStateHeader(bytes);
  if (header.model !== model.fingerprint) {
    throw new StateError(
      `importState: the state is of model ${header.model}, this model is ${model.fingerprint}; load the model that it was saved with`,
    );
  }
  if (header.dtype !== 'fp32') {
    throw new StateError(`importState: the state's dtype is ${String(header.dtype)}, expected fp32`);
  }
  const expected: Record<string, number> = { ...model.dims, ...model.config } as never;
  for (const name of ['numBlocks', 'numHeads', 'DHQK', 'DHHV', 'vocabSize'] as const) {
    if (header[name] !== expected[name]) {
      throw new StateError(`importState: ${name} is ${header[name]}, this model has ${expected[name]}`);
    }
  }
  const { block, total: payload } = stateBytes(model.config, model.dims, header.batch);
  const given = bytes.length - payloadOffset;
  if (given !== payload) {
    throw new StateError(
      `importState: expected ${payload} bytes after the header, got ${given}; the state is ${given < payload ? 'cut short' : 'too long'}`,
    );
  }
  // A copy of its own, aligned for typed views. Not slice(): a Node Buffer's shares memory.
  const data = new Uint8Array(payload);
  data.set(bytes.subarray(payloadOffset));
  if (checksum(data) !== header.checksum) {
    throw new StateError('importState: the checksum does not match; the state was damaged in storage or transfer');
  }
  const state = model.createState(header.batch);
  try {
    state.blocks.forEach((buffer, index) => {
      model.device.upload(buffer, new Float32Array(data.buffer, index * block, block / 4));
    });
    model.device.upload(state.logits, new Float32Array(data.buffer, state.blocks.length * block));
    state.position = header.position;
    return state;
  } catch (error) {
    state.dispose();
    throw error;
  }
}
