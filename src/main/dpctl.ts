/** ovs-dpctl: looks at and changes the datapath of a running switch. */
import { runDpctl } from '../cli/dpctl/index.ts';
import { runProcess } from './client-process.ts';

await runProcess(runDpctl);
