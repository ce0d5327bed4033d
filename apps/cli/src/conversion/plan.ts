import type { QuantizationGroup, WeightDtype } from '@xlstm/device';
import {
  type Checkpoint,
  convertedTensors,
  isScales,
  keptDtype,
  planBytes,
  safetensorsLayout,
  type TensorPlan,
  weightShape,
} from '@xlstm/loaders';
import { parseConfig, planParameters } from '@xlstm/xlstm-large';

/** What a model is converted to; decides every byte of the result. */
export interface ConversionOptions {
  dtype: WeightDtype;
  group: QuantizationGroup;
  /** Most bytes of tensors in a file, where no single one is larger. */
  shardBytes: number;
}

/** One weight of the model, and the tensors that it becomes. */
export interface PlannedWeight {
  name: string;
  shape: readonly number[];
  dtype: WeightDtype;
  tensors: readonly TensorPlan[];
  /** What is read for it. */
  sourceBytes: number;
}

/** One file of the result. */
export interface PlannedShard {
  file: string;
  weights: readonly PlannedWeight[];
  tensors: readonly TensorPlan[];
  /** Of the whole file. */
  bytes: number;
}

/** All that will be written, known from the headers alone. */
export interface ConversionPlan {
  options: ConversionOptions;
  shards: readonly PlannedShard[];
  /** Of `model.safetensors.index.json`; undefined where there is one file. */
  index: string | undefined;
  /** Of all shards, headers included. */
  bytes: number;
  sourceBytes: number;
  /** Tensors that the configuration does not mean; they are left out. */
  unused: readonly string[];
}

/** What transformers wants to see in a file. */
export const FILE_METADATA: Readonly<Record<string, string>> = { format: 'pt' };

function plannedWeights(checkpoint: Checkpoint, { dtype, group }: ConversionOptions): PlannedWeight[] {
  const config = parseConfig(checkpoint.config, checkpoint.configFormat);
  const { table } = planParameters(config, (name) => weightShape(checkpoint, name));
  return table.tensors.map(({ name, shape }) => {
    const kept = keptDtype(name, shape, dtype, group);
    const matrix = checkpoint.quantization?.matrices.get(name);
    const sourceBytes = checkpoint.tensors.get(name)!.byteLength + (matrix?.scales.byteLength ?? 0);
    return { name, shape, dtype: kept, tensors: convertedTensors(name, shape, kept, group), sourceBytes };
  });
}

function dataBytes(weights: readonly PlannedWeight[]): number {
  return weights.reduce((sum, { tensors }) => sum + tensors.reduce((bytes, plan) => bytes + planBytes(plan), 0), 0);
}

/** Weights in the model's order, as many to a file as fit; codes and their scales are never apart. */
function inShards(weights: readonly PlannedWeight[], shardBytes: number): PlannedWeight[][] {
  const shards: PlannedWeight[][] = [];
  let room = 0;
  for (const weight of weights) {
    const bytes = dataBytes([weight]);
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = shardBytes;
    }
    shards.at(-1)!.push(weight);
    room -= bytes;
  }
  return shards;
}

/**
 * Plans a conversion: every tensor, every file and its exact size.
 *
 * @throws CheckpointError or ConfigError for a checkpoint that could not be loaded.
 */
export function planConversion(checkpoint: Checkpoint, options: ConversionOptions): ConversionPlan {
  const weights = plannedWeights(checkpoint, options);
  const groups = inShards(weights, options.shardBytes);
  const digits = (value: number) => String(value).padStart(5, '0');
  const shards = groups.map((group, at): PlannedShard => {
    const file =
      groups.length === 1 ? 'model.safetensors' : `model-${digits(at + 1)}-of-${digits(groups.length)}.safetensors`;
    const tensors = group.flatMap((weight) => weight.tensors);
    return { file, weights: group, tensors, bytes: safetensorsLayout(tensors, FILE_METADATA).byteLength };
  });
  const names = new Set(weights.map(({ name }) => name));
  return {
    options,
    shards,
    index: shards.length > 1 ? indexText(shards, dataBytes(weights)) : undefined,
    bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0),
    sourceBytes: weights.reduce((sum, { sourceBytes }) => sum + sourceBytes, 0),
    unused: [...checkpoint.tensors.keys()].filter((name) => !names.has(name) && !isScales(checkpoint.tensors, name)),
  };
}

function indexText(shards: readonly PlannedShard[], totalSize: number): string {
  const entries = shards.flatMap(({ file, tensors }) => tensors.map(({ name }) => [name, file] as const));
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify({ metadata: { total_size: totalSize }, weight_map: Object.fromEntries(entries) }, null, 2)}\n`;
}
