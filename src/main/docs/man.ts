/** Manual pages in roff (man(7)), made from the description of the commands. */
import { type ToolDescription, tools } from '../../cli/describe/index.ts';

/** A subcommand of weft. */
export interface Summary {
  readonly name: string;
  readonly help: string;
}

/** Text that roff leaves alone: no escapes, no request at the start of a line. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replaceAll('“', '\\(lq')
    .replaceAll('”', '\\(rq')
    .replace(/^(?=[.'])/gm, '\\&');

const item = (head: string, body: string): string => `.TP\n.B ${roff(head)}\n${roff(body)}\n`;

function page(name: string, section: number, title: string, parts: readonly string[]): string {
  const head = `.TH ${name.toUpperCase()} ${section} "" "Weft" "Weft Manual"\n.SH NAME\n${roff(name)} \\- ${roff(title)}\n`;
  return `.\\" Made from src/cli/describe; npm run man makes it again.\n${head}${parts.join('')}`;
}

function optionHead({ long, short, argument, metavar = 'ARG' }: ToolDescription['options'][number]): string {
  const value = argument === 'none' ? '' : argument === 'required' ? `=${metavar}` : `[=${metavar}]`;
  return `${short === undefined ? '' : `-${short}, `}--${long}${value}`;
}

function commandHead({ name, usage, options = [] }: ToolDescription['commands'][number]): string {
  const own = options.map((option) => `[${option}${option.endsWith('=') ? 'ARG' : ''}]`);
  return [...own, name, usage].filter((part) => part !== '').join(' ');
}

function toolPage(tool: ToolDescription): string {
  const name = `weft-${tool.words.join('-')}`;
  const options = tool.options.filter(({ help }) => help !== undefined);
  const also = tool.program === null ? '' : `.br\n.B ${roff(tool.program)}\n${roff(tool.synopsis)}\n`;
  return page(name, 1, tool.title, [
    `.SH SYNOPSIS\n.B weft ${roff(tool.words.join(' '))}\n${roff(tool.synopsis)}\n${also}`,
    `.SH DESCRIPTION\n${tool.notes.map(roff).join('\n.PP\n')}\n`,
    `.SH COMMANDS\n${tool.commands.map((command) => item(commandHead(command), `${command.help}.`)).join('')}`,
    `.SH OPTIONS\n${options.map((option) => item(optionHead(option), `${option.help}.`)).join('')}`,
    `.SH SEE ALSO\n${roff('weft(1)')}\n`,
  ]);
}

function weftPage(top: readonly Summary[]): string {
  return page('weft', 1, 'a virtual switch', [
    '.SH SYNOPSIS\n.B weft\nCOMMAND [ARG...]\n',
    `.SH COMMANDS\n${top.map(({ name, help }) => item(name, `${help}.`)).join('')}`,
    `.SH SEE ALSO\n${roff(tools.map(({ words }) => `weft-${words.join('-')}(1)`).join(', '))}\n`,
  ]);
}

/** All pages, by the names of their files. @param top the subcommands of weft */
export function manPages(top: readonly Summary[]): ReadonlyMap<string, string> {
  const own = tools.map((tool) => [`weft-${tool.words.join('-')}.1`, toolPage(tool)] as const);
  return new Map([['weft.1', weftPage(top)], ...own]);
}
