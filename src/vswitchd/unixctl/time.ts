/** The commands time/*: for tests, which stop the clock and move it. */
import { MILLISECOND } from '../../lib/clock.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';

/** Steps of one warp at the most. */
const STEPS_MAX = 1_000_000;

export function registerTime(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('time/stop', '', 0, 0, () => {
    daemon.clock.stop();
    return '';
  });
  control.register('time/warp', '[large_msecs] msecs', 1, 2, (args) => {
    const [total, step] = args.map((arg) => Number.parseInt(arg, 10));
    const isWrong = !(total! > 0) || (step !== undefined && !(step > 0));
    if (isWrong || total! / (step ?? total!) > STEPS_MAX) throw new CommandError('invalid MSECS');
    daemon.warp(total! * MILLISECOND, (step ?? total!) * MILLISECOND);
    return 'warped';
  });
}
