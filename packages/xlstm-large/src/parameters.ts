import {
  CheckpointError,
  DEFAULT_QUANTIZATION_GROUP,
  type FloatDtype,
  isQuantizable,
  isQuantizedDtype,
  type WeightDtype,
} from '@xlstm/device';
import { elementCount, type MatrixFormat, matrixBytes } from '@xlstm/tensor';
import { candidateWidths, dimsOf, type XlstmLargeConfig, type XlstmLargeDims } from './config.ts';

/**
 * Where one checkpoint tensor goes. Projections of the same input are stacked row-wise into one parameter (q, k, v
 * and o; i and f; gate and up), as the reference's `weight_mode: fused` does: fewer, larger products.
 */
export interface TensorPlace {
  /** The tensor's published name. */
  name: string;
  shape: readonly number[];
  /** The parameter that holds it, such as `blocks.3.qkvo`. */
  parameter: string;
  /** First row in that parameter. */
  row: number;
}

/** One parameter as the model keeps it. */
export interface ParameterPlan {
  name: string;
  shape: readonly number[];
  /**
   * Matrices take the model's weight dtype, but for the embedding (often the head as well), which q4 keeps in q8; gates,
   * norms and biases are float32 whatever that is.
   */
  precision: 'weights' | 'embedding' | 'fp32';
  /** Matrices of equal height that are stacked in it and whose rows belong together: 2 for gate and up. */
  sections: number;
}

/** All parameters of a model, and the checkpoint tensors that fill them. */
export interface ParameterTable {
  parameters: readonly ParameterPlan[];
  tensors: readonly TensorPlace[];
}

/** Shapes by published tensor name; what a checkpoint must tell before anything is loaded. */
export type ShapeOf = (name: string) => readonly number[] | undefined;

const BLOCK = (block: number) => `backbone.blocks.${block}`;

class TableBuilder {
  readonly parameters: ParameterPlan[] = [];
  readonly tensors: TensorPlace[] = [];

  /** A parameter stacked from tensors, in row order. */
  add(
    parameter: string,
    precision: ParameterPlan['precision'],
    cols: number | undefined,
    parts: readonly (readonly [name: string, rows: number])[],
    sections = 1,
  ): void {
    let row = 0;
    for (const [name, rows] of parts) {
      this.tensors.push({ name, shape: cols === undefined ? [rows] : [rows, cols], parameter, row });
      row += rows;
    }
    this.parameters.push({ name: parameter, shape: cols === undefined ? [row] : [row, cols], precision, sections });
  }
}

function addBlock(
  table: TableBuilder,
  block: number,
  config: XlstmLargeConfig,
  dims: XlstmLargeDims,
  fused: { projections: boolean; gateUp: boolean },
): void {
  const { embeddingDim: D, numHeads: NH, useBias } = config;
  const { qkDim, vDim, ffnDim } = dims;
  const layer = `${BLOCK(block)}.mlstm_layer`;
  const ffn = `${BLOCK(block)}.ffn`;
  const own = `blocks.${block}`;
  const qkvo = fused.projections
    ? ([[`${layer}.qkv_opreact`, 2 * qkDim + 2 * vDim]] as const)
    : ([
        [`${layer}.q`, qkDim],
        [`${layer}.k`, qkDim],
        [`${layer}.v`, vDim],
        [`${layer}.ogate_preact`, vDim],
      ] as const);
  const gates = fused.projections
    ? ([[`${layer}.ifgate_preact`, 2 * NH]] as const)
    : ([
        [`${layer}.igate_preact`, NH],
        [`${layer}.fgate_preact`, NH],
      ] as const);
  const gateUp = fused.gateUp
    ? ([[`${ffn}.proj_up_gate_z`, 2 * ffnDim]] as const)
    : ([
        [`${ffn}.proj_up_gate`, ffnDim],
        [`${ffn}.proj_up`, ffnDim],
      ] as const);
  const linear = (
    parameter: string,
    precision: ParameterPlan['precision'],
    cols: number,
    parts: readonly (readonly [string, number])[],
    { bias = useBias, sections = 1 } = {},
  ) => {
    const suffixed = (suffix: string) => parts.map(([name, rows]) => [`${name}.${suffix}`, rows] as const);
    table.add(`${own}.${parameter}`, precision, cols, suffixed('weight'), sections);
    if (bias) table.add(`${own}.${parameter}.bias`, 'fp32', undefined, suffixed('bias'));
  };
  const norm = (parameter: string, name: string, width: number) => {
    table.add(`${own}.${parameter}`, 'fp32', undefined, [[`${name}.weight`, width]]);
    if (useBias) table.add(`${own}.${parameter}.bias`, 'fp32', undefined, [[`${name}.bias`, width]]);
  };
  norm('normMlstm', `${BLOCK(block)}.norm_mlstm`, D);
  linear('qkvo', 'weights', D, qkvo);
  linear('gates', 'fp32', D, gates, { bias: true });
  norm('headNorm', `${layer}.multihead_norm`, vDim);
  linear('out', 'weights', vDim, [[`${layer}.out_proj`, D]]);
  norm('normFfn', `${BLOCK(block)}.norm_ffn`, D);
  linear('gateUp', 'weights', D, gateUp, { sections: 2 });
  linear('down', 'weights', ffnDim, [[`${ffn}.proj_down`, D]]);
}

/** The parameters of a model of these sizes. `fused` says how the checkpoint stores projections of one input. */
export function parameterTable(
  config: XlstmLargeConfig,
  dims: XlstmLargeDims,
  fused: { projections: boolean; gateUp: boolean } = { projections: false, gateUp: false },
): ParameterTable {
  const { embeddingDim: D, vocabSize: V } = config;
  const table = new TableBuilder();
  table.add('embedding', 'embedding', D, [['backbone.embeddings.weight', V]]);
  for (let block = 0; block < config.numBlocks; block++) addBlock(table, block, config, dims, fused);
  if (config.addOutNorm) {
    table.add('outNorm', 'fp32', undefined, [['backbone.out_norm.weight', D]]);
    if (config.useBias) table.add('outNorm.bias', 'fp32', undefined, [['backbone.out_norm.bias', D]]);
  }
  if (!config.tieWordEmbeddings) table.add('head', 'weights', D, [['lm_head.weight', V]]);
  return table;
}

/** What a quantised dtype keeps in this one instead: a matrix whose rows are no whole groups. */
const UNQUANTIZABLE_DTYPE: FloatDtype = 'bf16';

/**
 * The dtype that a parameter is kept in where the matrices are kept in `dtype`: float32 for gates, norms and biases. With q8
 * and q4, the embedding is q8, and a matrix whose rows are no multiple of the group (32), as tiny models have, bf16;
 * `weights.report` and `xlstm inspect` tell of those.
 */
export function parameterDtype(
  { precision, shape }: ParameterPlan,
  dtype: WeightDtype,
  group: number = DEFAULT_QUANTIZATION_GROUP,
): WeightDtype {
  if (precision === 'fp32') return 'fp32';
  if (!isQuantizedDtype(dtype)) return dtype;
  if (!isQuantizable(shape[1] ?? 0, group)) return UNQUANTIZABLE_DTYPE;
  return precision === 'embedding' ? 'q8' : dtype;
}

/** How a matrix of the table is kept where the matrices are kept in `dtype`. */
export function matrixFormat(
  plan: ParameterPlan,
  dtype: WeightDtype,
  group: number = DEFAULT_QUANTIZATION_GROUP,
): MatrixFormat {
  const kept = parameterDtype(plan, dtype, group);
  return { dtype: kept, group: isQuantizedDtype(kept) ? group : 0, sections: plan.sections };
}

/** Bytes of a parameter on a device where the matrices are kept in `dtype`, scales included. */
export function parameterBytes(plan: ParameterPlan, dtype: WeightDtype, group?: number): number {
  const [rows = 0, cols = 1] = plan.shape;
  return matrixBytes(matrixFormat(plan, dtype, group), rows, cols);
}

/** Number of parameters of a model. */
export function countParameters(table: ParameterTable): number {
  return table.tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

function rowsOf(shapeOf: ShapeOf, name: string): number {
  const shape = shapeOf(name);
  if (!shape) {
    throw new CheckpointError(`checkpoint: tensor ${name} is missing; the file is incomplete or of another model`);
  }
  return shape[0] ?? 0;
}

function agreeing(name: string, field: string, width: number, candidates: readonly number[]): number {
  if (!candidates.includes(width)) {
    throw new CheckpointError(
      `checkpoint: ${name} gives ${field} ${width}, the configuration means ${candidates.join(' or ')}; the two are of different models`,
    );
  }
  return width;
}

/**
 * The file must hold exactly the model that the configuration describes: running fewer blocks than were trained, or
 * another head than the stored one, would give text that is wrong without a word.
 */
function checkExtent(config: XlstmLargeConfig, shapeOf: ShapeOf): void {
  const normOf = (block: number) => `${BLOCK(block)}.norm_mlstm.weight`;
  const { numBlocks } = config;
  if (!shapeOf(normOf(numBlocks - 1))) {
    throw new CheckpointError(
      `checkpoint: tensor ${normOf(numBlocks - 1)} is missing, though the configuration has ${numBlocks} blocks; the file is incomplete or of another model`,
    );
  }
  if (shapeOf(normOf(numBlocks))) {
    throw new CheckpointError(
      `checkpoint: there is a block ${numBlocks}, though the configuration has only ${numBlocks} (num_blocks); the two are of different models`,
    );
  }
  if (config.tieWordEmbeddings && shapeOf('lm_head.weight')) {
    throw new CheckpointError(
      'checkpoint: lm_head.weight is stored, though the configuration ties the head to the embedding (tie_word_embeddings); set it to false or remove the tensor',
    );
  }
}

/**
 * Takes the sizes from a checkpoint's tensors, holds them against the configuration, and checks that every tensor is
 * there with the right shape.
 *
 * @throws CheckpointError that names the tensor, the expected shape and the one that came.
 */
export function planParameters(
  config: XlstmLargeConfig,
  shapeOf: ShapeOf,
): { table: ParameterTable; dims: XlstmLargeDims } {
  checkExtent(config, shapeOf);
  const layer = `${BLOCK(0)}.mlstm_layer`;
  const fused = {
    projections: shapeOf(`${layer}.qkv_opreact.weight`) !== undefined,
    gateUp: shapeOf(`${BLOCK(0)}.ffn.proj_up_gate_z.weight`) !== undefined,
  };
  const wanted = candidateWidths(config);
  const outShape = shapeOf(`${layer}.out_proj.weight`);
  const vName = fused.projections ? `${layer}.out_proj.weight` : `${layer}.v.weight`;
  const vWidth = fused.projections ? (outShape?.[1] ?? rowsOf(shapeOf, vName)) : rowsOf(shapeOf, vName);
  const vDim = agreeing(vName, 'v_dim', vWidth, wanted.vDim);
  const qkName = fused.projections ? `${layer}.qkv_opreact.weight` : `${layer}.q.weight`;
  const qkRows = rowsOf(shapeOf, qkName);
  const qkDim = agreeing(qkName, 'qk_dim', fused.projections ? qkRows / 2 - vDim : qkRows, wanted.qkDim);
  const upName = `${BLOCK(0)}.ffn.${fused.gateUp ? 'proj_up_gate_z' : 'proj_up'}.weight`;
  const ffnDim = agreeing(upName, 'ffn dim', rowsOf(shapeOf, upName) / (fused.gateUp ? 2 : 1), wanted.ffnDim);
  const dims = dimsOf(config, qkDim, vDim, ffnDim);
  const table = parameterTable(config, dims, fused);
  for (const { name, shape } of table.tensors) {
    const actual = shapeOf(name);
    if (!actual) {
      throw new CheckpointError(
        `checkpoint: tensor ${name} [${shape}] is missing; the file is incomplete or of another model`,
      );
    }
    if (actual.length !== shape.length || actual.some((size, axis) => size !== shape[axis])) {
      throw new CheckpointError(
        `checkpoint: tensor ${name} must be [${shape}], got [${actual}]; the configuration and the file disagree`,
      );
    }
  }
  return { table, dims };
}
