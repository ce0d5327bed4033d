import type { Command } from 'commander';
import { checkWindowFlags, type EvaluationFlags, evaluate, evaluationText } from '../evaluation/evaluation.ts';
import { addLoadOptions, addNumber, BUILT_IN_SAYS, MODEL_SAYS } from '../generation/flags.ts';
import { RANGES } from '../generation/number-argument.ts';
import { builtInModel } from '../installed.ts';
import type { Context } from '../terminal.ts';

/** `xlstm eval`: how well a model predicts a text. */
export function addEvalCommand(program: Command, context: Context): void {
  const command = program
    .command('eval')
    .description('Print a model’s loss, perplexity and bits per byte on a text.')
    .argument('[model]', `${MODEL_SAYS} (default: ${BUILT_IN_SAYS})`)
    .requiredOption('--text <file>', 'a UTF-8 text file; - is stdin')
    .showHelpAfterError('(xlstm eval --help lists the options)');
  addNumber(command, '--context <n>', 'read windows of n tokens from an empty state', RANGES.atLeastOne);
  addNumber(command, '--stride <n>', 'with --context: count the last n tokens of a window', RANGES.atLeastOne);
  addNumber(command, '--max-tokens <n>', 'predict only the first n tokens', RANGES.atLeastOne);
  addLoadOptions(command);
  command
    .option('--json', 'print one JSON object')
    .option('--quiet', 'print nothing but the result')
    .option('--debug', 'print where an error came from')
    .addHelpText(
      'after',
      `
Lines that hold only <|endoftext|> divide the text into documents; each is read after the model’s BOS (or else EOS).
Without --context the state is carried through the whole text. With it, windows move on by --stride tokens (by --context
if left out); what a window repeats of the one before is its context and does not count.

Examples:
  $ xlstm eval --text valid.txt                  the built-in model
  $ xlstm eval models/my-model --text valid.txt --json > loss.json
  $ xlstm eval models/my-model --text book.txt --context 2048 --stride 512
  $ head -c 20000 book.txt | xlstm eval --text - --device cpu`,
    )
    .action(async (model: string | undefined, flags: EvaluationFlags) => {
      checkWindowFlags(flags);
      const report = await evaluate(context, model ?? builtInModel, flags);
      await context.output.write(flags.json ? `${JSON.stringify(report)}\n` : evaluationText(report));
    });
}
