import { type Output, runCommand } from './run-command.ts';

const { stdout, stderr } = process;

// A reader that has seen enough (`| head`) is no error.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const output: Output = {
  out: (text) => stdout.write(text),
  error: (text) => stderr.write(text),
  ...(stderr.isTTY ? { progress: (text: string) => stderr.write(`\r\u001b[K${text}`) } : {}),
};

process.exitCode = await runCommand(process.argv.slice(2), output);
