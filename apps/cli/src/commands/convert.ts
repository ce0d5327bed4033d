import { DEVICE_CHOICES, QUANTIZATION_GROUPS, type QuantizationGroup } from '@xlstm/device';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { conversionText } from '../conversion/report-text.ts';
import { type ConversionFlags, checkConversionFlags, runConversion } from '../conversion/run-conversion.ts';
import { addNumber, MODEL_SAYS } from '../generation/flags.ts';
import { RANGES } from '../generation/number-argument.ts';
import type { Context } from '../terminal.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

function sizeArgument(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kmg]i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS[(unit ?? '').toUpperCase()] ?? Number.NaN));
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new InvalidArgumentError('It must be a size such as 512MB, 2GB or 1GiB.');
  }
  return bytes;
}

function groupArgument(text: string): QuantizationGroup {
  const group = QUANTIZATION_GROUPS.find((each) => String(each) === text.trim());
  if (group === undefined) throw new InvalidArgumentError(`It must be ${QUANTIZATION_GROUPS.join(', ')}.`);
  return group;
}

/** `xlstm convert`: a model in another dtype, quantised ones among them. */
export function addConvertCommand(program: Command, context: Context): void {
  const command = program
    .command('convert')
    .description('Write a model in another dtype, file by file, in constant memory; goes on where it was interrupted.')
    .argument('<model>', MODEL_SAYS)
    .argument('<out>', 'folder to write; empty, or of the same conversion interrupted')
    .addOption(new Option('--dtype <name>', 'what to convert to').choices(['q8', 'q4', 'bf16', 'fp16', 'fp32']))
    .addOption(
      new Option('--group-size <n>', 'q8 and q4: weights that share a scale, 32, 64 or 128')
        .argParser(groupArgument)
        .default(32),
    )
    .addOption(
      new Option('--shard-size <size>', 'most bytes in a file, where no single tensor is larger')
        .argParser(sizeArgument)
        .default(512e6, '512MB'),
    )
    .option('--dry-run', 'print what would be written, to the byte, and write nothing')
    .option('--verify', 'hold every byte of a converted OUT against MODEL')
    .option('--report', 'tell each tensor’s error, of the conversion or of an OUT that is there')
    .option('--text <file>', 'with --report: also loss and KL divergence on this text; - is stdin')
    .addOption(new Option('--device <name>', 'with --text: where to compute').choices(DEVICE_CHOICES).default('auto'));
  addNumber(command, '--max-tokens <n>', 'with --text: read only the first n tokens', RANGES.atLeastOne, 4096);
  command
    .addOption(new Option('--revision <name>', 'branch, tag or commit of a hub model (default: main)'))
    .option('--json', 'print one JSON object')
    .option('--quiet', 'print nothing but the result')
    .option('--debug', 'print where an error came from')
    .showHelpAfterError('(xlstm convert --help lists the options)')
    .addHelpText(
      'after',
      `
q8 and q4 keep matrices as integers with a 16-bit scale for each group of a row: 8.5 and 4.5 bits a weight in groups of 32.
Gates, norms and biases stay float32; the embedding is q8 with both. docs/formats.md has the layout.

After Ctrl-C, a kill or a full disk, the same command goes on after the last finished file. OUT is a model once it holds
config.json, which is written last.

With --text, MODEL computes in fp32 and OUT in the dtype that it is stored in, as xlstm generate runs it.

Examples:
  $ xlstm convert models/xlstm-7b models/xlstm-7b-q4 --dtype q4 --shard-size 512MB
  $ xlstm convert NX-AI/xLSTM-7b models/xlstm-7b-q8 --dtype q8 --dry-run
  $ xlstm convert models/xlstm-7b models/xlstm-7b-q4 --verify
  $ xlstm convert models/xlstm-7b models/xlstm-7b-q4 --report --text valid.txt`,
    )
    .action(async (model: string, out: string, flags: ConversionFlags) => {
      checkConversionFlags(flags);
      const report = await runConversion(context, model, out, flags);
      await context.output.write(flags.json ? `${JSON.stringify(report)}\n` : conversionText(report));
    });
}
