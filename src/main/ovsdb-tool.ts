/** ovsdb-tool: makes, looks at and changes database files. */
import { runOvsdbTool } from '../cli/ovsdb/tool.ts';
import { runProcess } from './client-process.ts';

await runProcess(runOvsdbTool);
