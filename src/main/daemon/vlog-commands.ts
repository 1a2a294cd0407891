/** The commands vlog/*, which every daemon has. */
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { Vlog } from './vlog.ts';

export function registerLogCommands(control: ControlSocket, log: Vlog): void {
  control.register('vlog/set', '{spec | PATTERN:destination:pattern}', 0, 1000, (specs) => {
    for (const spec of specs) {
      const problem = log.configure(spec);
      if (problem !== null) throw new CommandError(problem);
    }
    return '';
  });
  control.register('vlog/list', '', 0, 0, () => log.levelTable());
  control.register('vlog/list-pattern', '', 0, 0, () => log.patternTable());
  // No message is ever held back: there is no limit to switch on or off
  for (const name of ['vlog/disable-rate-limit', 'vlog/enable-rate-limit']) {
    control.register(name, '[module]...', 0, 1000, (modules) => {
      if (!modules.every((module) => log.knows(module))) throw new CommandError('unknown module');
      return '';
    });
  }
  control.register('vlog/reopen', '', 0, 0, () => {
    if (log.file === null) throw new CommandError('Logging to file not configured');
    log.open();
    return '';
  });
  control.register('vlog/close', '', 0, 0, () => {
    log.close();
    return '';
  });
}
