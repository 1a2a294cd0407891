/** The commands vlog/*, which every daemon has. */
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { Vlog } from './vlog.ts';

export function registerLogCommands(control: ControlSocket, log: Vlog): void {
  control.register('vlog/set', '{spec | PATTERN:destination:pattern}', 1, 1000, (specs) => {
    for (const spec of specs) {
      const problem = log.configure(spec);
      if (problem !== null) throw new CommandError(problem);
    }
    return '';
  });
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
