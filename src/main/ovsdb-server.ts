/** ovsdb-server: the database server with the reference's command line. */

import { detach, isDetachedChild, isWatchedChild, nameProcess, sayReady, watch } from './daemon/process.ts';
import { UsageError } from './failure.ts';
import { help, parseOptions, versionText } from './ovsdb/options.ts';
import { logFault, placesOf } from './ovsdb/places.ts';

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  nameProcess('ovsdb-server');
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
  // Processes that only start or watch another one need none of it
  const { Daemon } = await import('./ovsdb/daemon.ts');
  await new Daemon(options, placesOf(process.env)).start();
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isPlain = error instanceof UsageError;
  process.stderr.write(`ovsdb-server: ${isPlain ? error.message : (error as Error).stack}\n`);
  process.exit(1);
}
