/** ovs-vswitchd: the switch daemon with the reference's command line. */
import { detach, isDetachedChild, isWatchedChild, nameProcess, sayReady, watch } from './daemon/process.ts';
import { UsageError } from './failure.ts';
import { logFault } from './vswitchd/log.ts';
import { helpText, parseOptions, versionText } from './vswitchd/options.ts';

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args, process.env);
  nameProcess('ovs-vswitchd');
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
  // Processes that only start or watch another one need none of it
  const { runDaemon } = await import('./vswitchd/process.ts');
  await runDaemon(options);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isPlain = error instanceof UsageError;
  process.stderr.write(`ovs-vswitchd: ${isPlain ? error.message : (error as Error).stack}\n`);
  process.exit(1);
}
