import type { WeightDtype } from '@xlstm/device';
import { type Checkpoint, type CheckpointFiles, type QuantizationBlock, quantizationJson } from '@xlstm/loaders';

/** Fields that transformers takes as floats only: an integer there is refused. */
const FLOATS = [
  'norm_eps',
  'eps',
  'qk_dim_factor',
  'v_dim_factor',
  'ffn_proj_factor',
  'gate_soft_cap',
  'output_logit_soft_cap',
];

const TORCH_NAMES: Readonly<Record<string, string>> = { fp32: 'float32', fp16: 'float16', bf16: 'bfloat16' };

/** JSON where numbers that were floats stay written as floats: JavaScript would make 1 of 1.0. */
function withFloats(config: Readonly<Record<string, unknown>>, source: string): string {
  const floats = new Set(FLOATS);
  for (const [, name] of source.matchAll(/"(\w+)"\s*:\s*-?\d+\.0+\s*[,}]/g)) floats.add(name!);
  const lines = JSON.stringify(config, null, 2).split('\n');
  return `${lines
    .map((line) => {
      const field = /^ {2}"(\w+)": -?\d+(?=,?$)/.exec(line);
      return field && floats.has(field[1]!) ? line.replace(/,?$/, (comma) => `.0${comma}`) : line;
    })
    .join('\n')}\n`;
}

/** The `config.json` of the result: the model's own fields, whichever layout they came in, and how it is kept now. */
export async function convertedConfig(
  checkpoint: Checkpoint,
  files: CheckpointFiles,
  dtype: WeightDtype,
  block: QuantizationBlock | undefined,
): Promise<string> {
  const isHuggingFace = checkpoint.configFormat === 'huggingface';
  const { quantization: _, dtype: oldDtype, torch_dtype: oldTorchDtype, ...fields } = checkpoint.config;
  const torchName = TORCH_NAMES[dtype];
  const kept = {
    ...(torchName !== undefined && (oldTorchDtype === undefined || oldDtype !== undefined) && { dtype: torchName }),
    ...(torchName !== undefined && oldTorchDtype !== undefined && { torch_dtype: torchName }),
    ...(block && { quantization: quantizationJson(block) }),
  };
  if (!isHuggingFace) {
    const { embedding_dim, num_blocks } = fields;
    const named = { architectures: ['xLSTMForCausalLM'], model_type: 'xlstm', ...fields };
    return withFloats({ ...named, hidden_size: embedding_dim, num_hidden_layers: num_blocks, ...kept }, '');
  }
  const file = await files.open('config.json');
  const text = new TextDecoder().decode(await file.read(0, file.size));
  return withFloats({ ...fields, ...kept }, text);
}
