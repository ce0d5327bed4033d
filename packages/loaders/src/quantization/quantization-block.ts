import { CheckpointError } from '@xlstm/device';
import { QUANTIZATION_GROUPS, type QuantizationGroup, type QuantizedDtype } from '@xlstm/device/dtypes';
import { quoted } from '../json/quoted.ts';

/** Integers with one fp16 scale for each group of a row, no zero point. */
const METHOD = 'xlstm-group-symmetric';
const VERSION = 1;

/** The `quantization` block of a `config.json`, in TypeScript's names. Format: docs/formats.md. */
export interface QuantizationBlock {
  /** What the matrices are in, but for those that are kept higher. */
  readonly dtype: QuantizedDtype;
  readonly group: QuantizationGroup;
  /** Of the float model that was quantised; 16 hexadecimal digits. */
  readonly fingerprint: string;
}

/** The block as `config.json` has it. */
export function quantizationJson({ dtype, group, fingerprint }: QuantizationBlock): Readonly<Record<string, unknown>> {
  const bits = dtype === 'q8' ? 8 : 4;
  return { method: METHOD, version: VERSION, dtype, bits, group_size: group, scale_dtype: 'F16', fingerprint };
}

/**
 * The block of a configuration; undefined where there is none.
 *
 * @throws CheckpointError for another method or version, or fields that cannot be.
 */
export function parseQuantization(
  config: Readonly<Record<string, unknown>>,
  place: string,
): QuantizationBlock | undefined {
  const { quantization } = config;
  if (quantization === undefined || quantization === null) return undefined;
  const where = `openCheckpoint: quantization in config.json of ${place}`;
  if (typeof quantization !== 'object' || Array.isArray(quantization)) {
    throw new CheckpointError(`${where} must hold named fields, got ${quoted(quantization)}; convert the model again`);
  }
  const block = quantization as Readonly<Record<string, unknown>>;
  const expect = (name: string, allowed: readonly unknown[], advice: string): void => {
    if (allowed.includes(block[name])) return;
    throw new CheckpointError(
      `${where}: ${name} must be ${allowed.map((value) => quoted(value)).join(' or ')}, got ${quoted(block[name])}; ${advice}`,
    );
  };
  const again = 'the file was changed by hand or is damaged, convert the float model again';
  expect('method', [METHOD], 'this package reads what xlstm convert writes; convert the float model with it');
  expect('version', [VERSION], 'a newer release wrote it: update, or convert the float model with this one');
  expect('dtype', ['q8', 'q4'], again);
  expect('bits', [block.dtype === 'q8' ? 8 : 4], again);
  expect('group_size', QUANTIZATION_GROUPS, again);
  expect('scale_dtype', ['F16'], again);
  const { fingerprint } = block;
  if (typeof fingerprint !== 'string' || !/^[0-9a-f]{16}$/.test(fingerprint)) {
    throw new CheckpointError(
      `${where}: fingerprint must be 16 hexadecimal digits, got ${quoted(fingerprint)}; ${again}`,
    );
  }
  return { dtype: block.dtype as QuantizedDtype, group: block.group_size as QuantizationGroup, fingerprint };
}
