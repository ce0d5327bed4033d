import { fromPretrained, type XlstmModel } from 'xlstm';
import { modelLabel } from '../installed.ts';
import type { Progress } from '../progress.ts';
import type { Context } from '../terminal.ts';
import type { ModelFlags } from './flags.ts';

/** Loads the model that the flags name, under a bar, and says what people should know of it. */
export async function loadModel(
  context: Context,
  flags: ModelFlags,
  progress: Progress,
  show: { device: boolean; notes: boolean },
): Promise<XlstmModel> {
  const model = await fromPretrained(flags.model, {
    device: flags.device,
    ...(flags.dtype === undefined ? {} : { dtype: flags.dtype }),
    ...(flags.revision === undefined ? {} : { revision: flags.revision }),
    signal: context.signal,
    onDownload: (event) => {
      if (event.status !== 'progress' || event.total === 0) return;
      progress.update(`fetching ${event.file}`, event.loaded / event.total);
    },
    onProgress: ({ loadedElements, totalElements }) =>
      progress.update(`loading ${modelLabel(flags.model)}`, loadedElements / totalElements),
  });
  progress.clear();
  if (show.device) context.say(`device: ${model.deviceReason}`);
  if (show.notes && model.tokenizer.kind === 'bytes') {
    context.say(`note: ${flags.model} has no tokenizer.json, so text is read and written byte by byte`);
  }
  return model;
}
