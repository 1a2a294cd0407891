/** ovsdb-server: the database server with the reference's command line. */
import { UsageError } from './failure.ts';
import { Daemon, logFault, placesOf, versionText } from './ovsdb/daemon.ts';
import { help, parseOptions } from './ovsdb/options.ts';
import { detach, isDetachedChild, isWatchedChild, sayReady, watch } from './daemon/process.ts';

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options.wants !== 'run') {
    process.stdout.write(options.wants === 'help' ? help : versionText);
    return;
  }
  if (options.mustDetach && !isDetachedChild()) {
    // The child stays when this process goes
    process.exit(await detach());
  }
  if (options.mustMonitor && options.mustDetach && !isWatchedChild()) {
    let isReady = false;
    const ready = (): void => {
      if (!isReady) sayReady();
      isReady = true;
    };
    process.exit(await watch(ready, (signal) => logFault(options, signal)));
  }
  await new Daemon(options, placesOf(process.env)).start();
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isPlain = error instanceof UsageError;
  process.stderr.write(`ovsdb-server: ${isPlain ? error.message : (error as Error).stack}\n`);
  process.exit(1);
}
