import { Command } from 'commander';
import { addChatCommand } from './commands/chat.ts';
import { addConvertCommand } from './commands/convert.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addEvalCommand } from './commands/eval.ts';
import { addGenerateCommand } from './commands/generate.ts';
import { addInspectCommand } from './commands/inspect.ts';
import { addStartCommand } from './commands/start.ts';
import { describeFailure, exitCodeOf, Interrupted } from './failures.ts';
import { version } from './installed.ts';
import { type Context, createContext, type Terminal } from './terminal.ts';

/** The command line's grammar. */
function createProgram(context: Context): Command {
  const { stdout, stderr } = context.terminal;
  const program = new Command('xlstm')
    .description('Runs xLSTM language models on WebGPU or on a bare CPU.')
    .version(version())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        stdout.write(text);
      },
      writeErr: (text) => {
        stderr.write(text);
      },
      getOutHelpWidth: () => stdout.columns || 100,
      getErrHelpWidth: () => stderr.columns || 100,
    })
    .showSuggestionAfterError()
    .showHelpAfterError('(xlstm --help lists the commands, xlstm COMMAND --help their options)')
    .addHelpText(
      'after',
      `
Examples:
  $ xlstm start                                  a story from the built-in model
  $ xlstm generate --prompt "The fox said" --max-new-tokens 64 --temperature 0
  $ xlstm chat --model models/my-chat-model      a conversation that can be saved, undone and gone on with
  $ xlstm eval models/my-model --text valid.txt  how well a model predicts a text
  $ xlstm inspect models/xlstm-7b                what a checkpoint holds and how much memory it needs
  $ xlstm convert models/xlstm-7b models/q4 --dtype q4   the same model in a seventh of the bytes
  $ xlstm doctor                                 which devices there are, and why others are not

Exit codes: 0 done, 1 error, 2 the command line makes no sense, 130 interrupted.`,
    );
  addStartCommand(program, context);
  addGenerateCommand(program, context);
  addChatCommand(program, context);
  addEvalCommand(program, context);
  addInspectCommand(program, context);
  addConvertCommand(program, context);
  addDoctorCommand(program, context);
  return program;
}

/**
 * Runs the command once and says what to exit with. Never throws; what went wrong is on stderr.
 *
 * @param argv the arguments after the program's name
 * @example
 * ```ts
 * process.exitCode = await run(['doctor', '--json'], { ...process, interrupt: new AbortController() })
 * ```
 */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const context = createContext(terminal);
  const { output, signal } = context;
  let failure: unknown;
  try {
    await createProgram(context).parseAsync(argv, { from: 'user' });
    await output.flush();
    signal.throwIfAborted();
    return context.exitCode;
  } catch (error) {
    // After an abort, whatever came flying is its consequence.
    failure = signal.aborted ? signal.reason : error;
  }
  if (failure instanceof Interrupted) {
    if (output.midLine) output.breakOff();
    else terminal.stderr.write('\n');
  } else {
    const debug = argv.includes('--debug') || Boolean(terminal.env.XLSTM_DEBUG && terminal.env.XLSTM_DEBUG !== '0');
    const said = describeFailure(failure, debug);
    if (said !== undefined) {
      output.breakOff();
      terminal.stderr.write(said);
    }
  }
  return exitCodeOf(failure);
}
