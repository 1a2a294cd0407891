/** ovs-vsctl: configures a switch through its database. */
import { runVsctl } from '../cli/vsctl/index.ts';
import { runProcess } from './client-process.ts';

await runProcess(runVsctl);
