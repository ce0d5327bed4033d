import type { Command } from 'commander';
import { EXIT } from '../failures.ts';
import { inspectModel } from '../inspection/inspect-model.ts';
import { reportText } from '../inspection/report-text.ts';
import { builtInModel } from '../installed.ts';
import type { Context } from '../terminal.ts';

/** `xlstm inspect`: what a checkpoint is, without loading it. */
export function addInspectCommand(program: Command, context: Context): void {
  program
    .command('inspect')
    .description('Print a checkpoint’s configuration, tensors and sizes, and the memory it needs. Loads nothing.')
    .argument('[model]', 'folder of a checkpoint', builtInModel)
    .option('--json', 'print one JSON object')
    .option('--debug', 'print where an error came from')
    .showHelpAfterError('(xlstm inspect --help lists the options)')
    .addHelpText(
      'after',
      `
A broken checkpoint is shown as far as it can be read; what is wrong is on stderr, and the exit code is 1.

Examples:
  $ xlstm inspect                                the built-in model
  $ xlstm inspect models/xlstm-7b
  $ xlstm inspect models/xlstm-7b --json > model.json`,
    )
    .action(async (model: string, { json }: { json?: boolean }) => {
      const report = await inspectModel(model, context.signal);
      await context.output.write(json ? `${JSON.stringify(report)}\n` : reportText(report));
      for (const problem of report.problems) context.say(`error: ${problem}`);
      if (report.problems.length > 0) context.exitCode = EXIT.error;
    });
}
