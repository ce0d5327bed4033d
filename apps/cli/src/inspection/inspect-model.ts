import { type QuantizedDtype, quantizedBits, type WeightDtype } from '@xlstm/device';
import { isScales, weightShape } from '@xlstm/loaders';
import type { Tokenizer } from '@xlstm/tokenizer';
import {
  type ConfigFormat,
  defaultDims,
  type ParameterTable,
  parameterTable,
  parseConfig,
  planParameters,
  type XlstmLargeConfig,
  type XlstmLargeDims,
} from '@xlstm/xlstm-large';
import { tokenizerOf } from 'xlstm';
import { type MemoryNeed, memoryNeeded } from './memory-needed.ts';
import { type ModelContents, type ModelFile, readModel } from './read-model.ts';

/** A tensor as it is stored; codes and their scales are one. */
export interface TensorReport {
  name: string;
  /** As safetensors spells it, or q8 or q4. */
  dtype: string;
  /** Of quantised matrices that of the matrix. */
  shape: readonly number[];
  bytes: number;
  file: string;
}

/** What `inspect --json` prints. What could not be found out is null, and `problems` says why. */
export interface ModelReport {
  model: string;
  format: ConfigFormat | null;
  config: XlstmLargeConfig | null;
  dims: XlstmLargeDims | null;
  /** Null also for a model without tokenizer.json whose vocabulary is too small for bytes. */
  tokenizer: { kind: Tokenizer['kind']; vocabSize: number; bosId: number | null; eosIds: readonly number[] } | null;
  parameters: number;
  tensors: readonly TensorReport[];
  /** How the matrices are quantised; null where they are floats. `bits` are those of a code; the embedding has 8 always. */
  quantization: { dtype: QuantizedDtype; bits: 8 | 4; group: number; fingerprint: string; matrices: number } | null;
  /** Bytes of tensors by stored dtype. */
  bytesByDtype: Readonly<Record<string, number>>;
  files: readonly ModelFile[];
  bytesOnDisk: number;
  memory: Readonly<Record<WeightDtype, MemoryNeed>> | null;
  /** Whether every tensor that the configuration means is there with its shape. */
  agrees: boolean;
  /** Tensors that the configuration does not mean; they are not loaded. */
  unused: readonly string[];
  problems: readonly string[];
}

/** Dtypes that weights are converted from. */
const LOADABLE = ['F32', 'F16', 'BF16', 'F64'];

/** Returns what `find` finds, or nothing and notes the problem. */
function attempt<T>(problems: string[], find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    noteIn(problems)(error);
    return undefined;
  }
}

/** What to do with an error that is a problem of the model. */
function noteIn(problems: string[]): (error: unknown) => undefined {
  return (error) => void problems.push(error instanceof Error ? error.message : String(error));
}

interface Plan {
  table: ParameterTable;
  dims: XlstmLargeDims;
}

/** What the configuration and the tensors mean together and, where they disagree, the configuration alone. */
function planOf(
  contents: ModelContents,
  config: XlstmLargeConfig,
  problems: string[],
): (Plan & { agrees: boolean }) | undefined {
  // With files missing it is known already that tensors are.
  const noted = contents.problems.length > 0 ? [] : problems;
  const plan = attempt(noted, () => planParameters(config, (name) => weightShape(contents, name)));
  if (plan) return { ...plan, agrees: true };
  return attempt(problems, () => {
    const dims = defaultDims(config);
    return { dims, table: parameterTable(config, dims), agrees: false };
  });
}

function tensorReports({ tensors, quantization }: ModelContents): TensorReport[] {
  return [...tensors.values()].flatMap((info): TensorReport[] => {
    const { name, byteLength } = info;
    const file = info.source.name;
    const matrix = quantization?.matrices.get(name);
    if (matrix) {
      const bytes = byteLength + matrix.scales.byteLength;
      return [{ name, dtype: matrix.dtype, shape: matrix.shape, bytes, file }];
    }
    if (quantization && isScales(tensors, name)) return [];
    return [{ name, dtype: info.dtype, shape: info.shape, bytes: byteLength, file }];
  });
}

function quantizationReport({ quantization }: ModelContents): ModelReport['quantization'] {
  if (!quantization) return null;
  const { dtype, group, fingerprint, matrices } = quantization;
  return { dtype, bits: quantizedBits(dtype), group, fingerprint, matrices: matrices.size };
}

function countElements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Finds out what a checkpoint is without loading it.
 *
 * @throws InputOutputError when there is no such folder; anything else wrong is among `problems`.
 */
export async function inspectModel(folder: string, signal: AbortSignal): Promise<ModelReport> {
  const contents = await readModel(folder, signal);
  const problems = [...contents.problems];
  const { config: raw, format, files } = contents;
  const config = raw && format ? attempt(problems, () => parseConfig(raw, format)) : undefined;
  const plan = config ? planOf(contents, config, problems) : undefined;
  // Without a file text is bytes, and a model of fewer ids than bytes simply has no text; that is no fault of it.
  const tokenizerProblems = contents.tokenizerJson ? problems : [];
  const tokenizer = config && (await tokenizerOf(contents, config).catch(noteIn(tokenizerProblems)));
  const tensors = tensorReports(contents);
  const used = new Set(plan?.agrees ? plan.table.tensors.map(({ name }) => name) : []);
  const bytesByDtype: Record<string, number> = {};
  for (const { name, dtype, bytes } of tensors) {
    bytesByDtype[dtype] = (bytesByDtype[dtype] ?? 0) + bytes;
    if (used.has(name) && !LOADABLE.includes(dtype) && !contents.quantization?.matrices.has(name)) {
      problems.push(`checkpoint: tensor ${name} is ${dtype}; weights must be one of ${LOADABLE.join(', ')}`);
    }
  }
  return {
    model: folder,
    format: format ?? null,
    config: config ?? null,
    dims: plan?.dims ?? null,
    tokenizer: tokenizer
      ? {
          kind: tokenizer.kind,
          vocabSize: tokenizer.vocabSize,
          bosId: tokenizer.bosId ?? null,
          eosIds: tokenizer.eosIds,
        }
      : null,
    parameters: tensors.reduce((sum, { shape }) => sum + countElements(shape), 0),
    tensors,
    quantization: quantizationReport(contents),
    bytesByDtype,
    files,
    bytesOnDisk: files.reduce((sum, { bytes }) => sum + bytes, 0),
    memory: config && plan ? memoryNeeded(config, plan.table, plan.dims) : null,
    agrees: plan?.agrees ?? false,
    unused: plan?.agrees ? tensors.map(({ name }) => name).filter((name) => !used.has(name)) : [],
    problems,
  };
}
