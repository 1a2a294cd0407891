/** `npm run man`: writes the manual pages into docs/man. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { subcommandSummaries } from '../program.ts';
import { manPages } from './man.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'docs', 'man');
mkdirSync(folder, { recursive: true });
for (const [name, text] of manPages(subcommandSummaries())) writeFileSync(join(folder, name), text);
