import type { Command } from 'commander';
import type { CommandCallbacks } from '../tokenizer/command-callbacks.ts';
import { tokenizeText } from '../tokenizer/tokenize-text.ts';
import { trainTokenizer } from '../tokenizer/train-tokenizer.ts';
import { integer } from './option-values.ts';

interface TextFlags {
  text: string[];
  out: string;
  force: boolean;
  documentSeparator: string;
}

function addTextOptions(command: Command): Command {
  return command
    .requiredOption('--text <glob...>', 'text files, folders or globs: .txt, .md, .jsonl')
    .option('--document-separator <line>', 'a line holding only this divides a file into documents', '<|endoftext|>')
    .option('--force', 'write over what is there', false)
    .option('--debug', 'show where an error came from', false);
}

/** `xlstm-train tokenizer` and `xlstm-train tokenize`. */
export function addTokenizerCommands(program: Command, callbacks: CommandCallbacks): void {
  addTextOptions(program.command('tokenizer').description('learn a byte-level BPE tokenizer from text'))
    .requiredOption('--out <file>', 'the tokenizer.json to write')
    .option('--vocab-size <n>', 'entries in all, bytes and special tokens included', integer, 4096)
    .option('--min-frequency <n>', 'pairs that come less often are not merged', integer, 2)
    .addHelpText(
      'after',
      '\nExample:\n  $ xlstm-train tokenizer --text "books/*.txt" --vocab-size 4096 --out tokenizer.json',
    )
    .action(async (flags: TextFlags & { vocabSize: number; minFrequency: number }) => {
      await trainTokenizer(flags, callbacks);
    });
  addTextOptions(program.command('tokenize').description('turn text into shards of ids that training reads'))
    .requiredOption('--tokenizer <file>', 'a tokenizer.json')
    .requiredOption('--out <folder>', 'where the shards go')
    .option('--name <name>', 'shards are NAME-00000.bin and so on', 'tokens')
    .option('--document-token <token>', "the special token before each document; '' for none", '<|endoftext|>')
    .addHelpText(
      'after',
      '\nExample:\n  $ xlstm-train tokenize --tokenizer tokenizer.json --text "books/*.txt" --out shards',
    )
    .action(async (flags: TextFlags & { tokenizer: string; name: string; documentToken: string }) => {
      await tokenizeText(flags, callbacks);
    });
}
