/** The weft command. */
import { runWeft } from './program.ts';
import { paintFor } from './terminal.ts';

// A reader that has seen enough (weft … | head) is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runWeft(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  paint: paintFor(process.stdout, process.env),
});
