/** ovs-ofctl: looks at and changes an OpenFlow switch. */
import { readFileSync } from 'node:fs';
import { runOfctl } from '../cli/ofctl/index.ts';
import { runProcess } from './client-process.ts';

// Flows and messages are bytes, not text
await runProcess((args, io) => runOfctl(args, { ...io, stdin: () => readFileSync(0, 'latin1') }));
