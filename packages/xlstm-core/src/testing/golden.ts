import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ParameterTensor } from '../model/model-parameters.ts';

/** One case of reference vectors. */
export interface GoldenCase {
  /** What `case.json` says. */
  fields: {
    config: Record<string, unknown>;
    ignore_index: number;
    weight_decay_parameters: string[];
    no_weight_decay_parameters: string[];
  };
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array | Int32Array }>;
}

function readTensors(path: string): GoldenCase['tensors'] {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const { __metadata__, ...header } = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array | Int32Array }>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    const [start, end] = data_offsets.map((offset) => 8 + headerBytes + offset);
    const { buffer } = new Uint8Array(file.subarray(start, end));
    tensors.set(name, { shape, data: dtype === 'I32' ? new Int32Array(buffer) : new Float32Array(buffer) });
  }
  return tensors;
}

/** The package's copy of one case; the conformance runner has the full set. */
export function goldenCase(name: string): GoldenCase {
  const folder = fileURLToPath(new URL(`../../golden/${name}`, import.meta.url));
  return {
    fields: JSON.parse(readFileSync(`${folder}/case.json`, 'utf8')) as GoldenCase['fields'],
    tensors: readTensors(`${folder}/tensors.safetensors`),
  };
}

/** The weights of a case under the model's names. */
export function goldenWeights({ tensors }: GoldenCase): ParameterTensor[] {
  return [...tensors]
    .filter(([name]) => name.startsWith('param.'))
    .map(([name, { shape, data }]) => ({
      name: name.slice('param.'.length),
      dtype: 'F32',
      shape,
      data: data as Float32Array,
    }));
}
