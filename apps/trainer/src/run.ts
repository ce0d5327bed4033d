import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addTokenizerCommands } from './command/add-tokenizer-commands.ts';
import { describeFailure, EXIT, exitCodeOf, Interrupted } from './command/failures.ts';
import { trainCommand } from './command/train-command.ts';

/** All that a command knows of the world around it. */
export interface Surroundings {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Aborted with an `Interrupted` when the command is to end early. */
  signal: AbortSignal;
}

interface TrainFlags {
  config: string;
  resume: boolean;
  force: boolean;
  dryRun: boolean;
  json: boolean;
}

/** The version of this package, whose manifest lies above both the sources and the build. */
function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

function createProgram({ stdout, stderr, signal }: Surroundings): Command {
  const program = new Command('xlstm-train')
    .description('Trains xLSTM models from a folder of text, or on the synthetic tasks of the papers.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
    })
    .showSuggestionAfterError()
    .option('-V, --version', 'print the version')
    .on('option:version', () => {
      stdout.write(`${version()}\n`);
      throw new CommanderError(EXIT.ok, 'commander.version', 'version');
    })
    .showHelpAfterError('(xlstm-train --help lists commands, xlstm-train COMMAND --help its options)')
    .addHelpText(
      'after',
      `
Without a command it trains: xlstm-train --config FILE is xlstm-train train --config FILE, and xlstm-train train --help lists
its options.`,
    );
  program
    .command('train', { isDefault: true })
    .description('train as a configuration says')
    .requiredOption('--config <file>', 'YAML file of the run')
    .option('--resume', 'go on from the last whole checkpoint of out_dir', false)
    .option(
      '--force',
      'start over in a folder that holds a run, or resume although model, tokenizer or data differ',
      false,
    )
    .option('--dry-run', 'print the resolved configuration, parameters, memory and device, and train nothing', false)
    .option('--json', 'one JSON object a step on stdout', false)
    .option('--debug', 'show where an error came from', false)
    .argument('[overrides...]', 'fields of the configuration, such as optimizer.lr=3e-4 train.max_steps=100')
    .addHelpText(
      'after',
      `
Examples:
  $ xlstm-train --config apps/trainer/configs/stories.yaml
  $ xlstm-train --config run.yaml optimizer.lr=2e-3 train.max_steps=500
  $ xlstm-train --config run.yaml --resume

In Node, XLSTM_DAWN_TOGGLES=vulkan_enable_f16_on_nvidia,allow_unsafe_apis in the environment gives an NVIDIA GPU what
precision=bf16-mixed computes on; without, that trains in fp32 and says so.

Ctrl-C finishes the step, writes a checkpoint and exits with 130; --resume then goes on as if nothing had happened.
Exit codes: 0 done, 1 error, 2 the command line makes no sense, 130 interrupted.`,
    )
    .action(async (overrides: string[], flags: TrainFlags) => {
      await trainCommand({ ...flags, overrides, stdout, stderr, signal });
    });
  let shown = '';
  addTokenizerCommands(program, {
    signal,
    write: (text) => stdout.write(text),
    onProgress: (label, fraction) => {
      const line = `${label} ${Math.floor(10 * fraction) * 10} %\n`;
      if (line !== shown) stderr.write(line);
      shown = line;
    },
  });
  return program;
}

/**
 * Runs the command once and says what to exit with. Never throws; what went wrong is on stderr.
 *
 * @param argv the arguments after the program's name
 */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    await createProgram(surroundings).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    const text = describeFailure(error, argv.includes('--debug'));
    if (text !== undefined) surroundings.stderr.write(text);
    else if (error instanceof Interrupted)
      surroundings.stderr.write('interrupted; resume with --resume, if a checkpoint was written\n');
    return exitCodeOf(error);
  }
}
