/** Lines of a file, or of standard input. */
import { readFileSync } from 'node:fs';
import { Fatal } from '../common/io.ts';
import { reasonOf } from './connection.ts';
import type { Context } from './context.ts';

export interface Line {
  readonly number: number;
  readonly text: string;
}

/** Text of a file; `-` is standard input. @throws Fatal when it cannot be read */
export function readText(context: Context, name: string): string {
  if (name === '-') return context.io.stdin();
  try {
    return readFileSync(name, 'latin1');
  } catch (error) {
    throw new Fatal(`${name}: open failed (${reasonOf(error)})`);
  }
}

/** Lines that say something: comments and empty lines are left out. */
export const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .map((line, i) => ({ number: i + 1, text: line.replace(/#.*$/, '').trim() }))
    .filter((line) => line.text !== '');
