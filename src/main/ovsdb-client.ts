/** ovsdb-client: talks to a database server. */
import { runOvsdbClient } from '../cli/ovsdb/client.ts';
import { runProcess } from './client-process.ts';

await runProcess(runOvsdbClient);
