/** ovs-vswitchd: the switch daemon with the reference's command line. */
import { detach, isDetachedChild, isWatchedChild, sayReady, watch } from './daemon/process.ts';
import { UsageError } from './failure.ts';
import { helpText, parseOptions } from './vswitchd/options.ts';
import { logFault, runDaemon, versionText } from './vswitchd/process.ts';

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args, process.env);
  if (options.wants !== 'run') {
    process.stdout.write(options.wants === 'help' ? helpText(options) : `${versionText}\n`);
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
  await runDaemon(options);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isPlain = error instanceof UsageError;
  process.stderr.write(`ovs-vswitchd: ${isPlain ? error.message : (error as Error).stack}\n`);
  process.exit(1);
}
