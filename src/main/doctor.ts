/** `weft doctor`: what this machine can do, and what to change. */
import { Command } from 'commander';
import { examine, type Finding } from './doctor/findings.ts';
import { readMachine } from './doctor/machine.ts';
import type { Console, Paint, Style } from './terminal.ts';

const HELP = `
Exit status: 0 when every kind of port can work here; 1 when something is in the way.`;

export function doctorCommand(console: Console): Command {
  return new Command('doctor')
    .description('what this machine can do, and what to change')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', HELP)
    .action((options: { readonly json?: boolean }) => {
      const findings = examine(readMachine());
      const isWell = findings.every(({ verdict }) => verdict !== 'fail');
      console.out(
        options.json ? `${JSON.stringify({ ok: isWell, findings }, null, 2)}\n` : textOf(findings, console.paint),
      );
      console.setStatus(isWell ? 0 : 1);
    });
}

const marks: Readonly<Record<Finding['verdict'], readonly [Style, string]>> = {
  ok: ['green', 'ok  '],
  note: ['yellow', 'note'],
  fail: ['red', 'FAIL'],
};

function textOf(findings: readonly Finding[], paint: Paint): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, verdict, found, advice }) => {
    const line = `${paint(...marks[verdict])}  ${check.padEnd(width)}  ${found}`;
    return advice === '' ? [line] : [line, `${' '.repeat(width + 8)}${paint('dim', advice)}`];
  });
  return `${lines.join('\n')}\n`;
}
