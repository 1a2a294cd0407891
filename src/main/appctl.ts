/** ovs-appctl: asks a running daemon to do something. */
import { runAppctl } from '../cli/appctl/index.ts';
import { runProcess } from './client-process.ts';

await runProcess(runAppctl);
