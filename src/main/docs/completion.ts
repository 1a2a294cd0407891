/** Completions for shells, made from the description of the commands. */
import { type ToolDescription, tools } from '../../cli/describe/index.ts';
import type { Summary } from './man.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Choice {
  readonly word: string;
  readonly help: string;
}

/** Where a word stands: after `weft`, or after a client's name. */
interface Place {
  /** Words before, such as `weft vsctl`. */
  readonly path: string;
  readonly choices: readonly Choice[];
}

function choicesOf(tool: ToolDescription): Choice[] {
  const options = tool.options
    .filter(({ help }) => help !== undefined)
    .map(({ long, argument, help }) => ({ word: `--${long}${argument === 'required' ? '=' : ''}`, help: help! }));
  const own = [...new Set(tool.commands.flatMap(({ options: list = [] }) => list))];
  const commands = tool.commands.map(({ name, help }) => ({ word: name, help }));
  return [...commands, ...options, ...own.map((word) => ({ word, help: 'option of a command' }))];
}

function places(top: readonly Summary[]): Place[] {
  const ovsdb = ['client', 'tool', 'server'];
  const fixed: Place[] = [
    { path: 'weft', choices: top.map(({ name, help }) => ({ word: name, help })) },
    { path: 'weft ovsdb', choices: ovsdb.map((word) => ({ word, help: `ovsdb-${word}` })) },
    { path: 'weft completion', choices: shells.map((word) => ({ word, help: `completions for ${word}` })) },
  ];
  const own = tools.flatMap((tool) => {
    const choices = choicesOf(tool);
    const paths = [`weft ${tool.words.join(' ')}`, ...(tool.program === null ? [] : [tool.program])];
    return paths.map((path) => ({ path, choices }));
  });
  return [...fixed, ...own];
}

const programs = (): string[] => ['weft', ...tools.flatMap(({ program }) => program ?? [])];
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The shells' common part: the longest path that the words before the cursor begin with. */
function bash(top: readonly Summary[]): string {
  const cases = places(top).map(({ path, choices }) => {
    return `    ${quote(path)}) choices=${quote(choices.map(({ word }) => word).join(' '))} ;;`;
  });
  return `# bash completion for weft and its clients; load it with: source <(weft completion bash)
_weft() {
  local current=\${COMP_WORDS[COMP_CWORD]} path choices=
  path=\${COMP_WORDS[0]##*/}
  if [ "$path" = weft ] && [ "$COMP_CWORD" -gt 1 ]; then
    path="$path \${COMP_WORDS[1]}"
    if [ "\${COMP_WORDS[1]}" = ovsdb ] && [ "$COMP_CWORD" -gt 2 ]; then path="$path \${COMP_WORDS[2]}"; fi
  fi
  case $path in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -o default -F _weft ${programs().join(' ')}
`;
}

function zsh(top: readonly Summary[]): string {
  const cases = places(top).map(({ path, choices }) => {
    const list = choices.map(({ word, help }) => quote(`${word.replaceAll(':', '\\:')}:${help}`));
    return `    ${quote(path)}) choices=(${list.join(' ')}) ;;`;
  });
  return `#compdef ${programs().join(' ')}
# zsh completion for weft and its clients; load it with: source <(weft completion zsh)
_weft() {
  local path_=\${words[1]:t}
  local -a choices
  if [[ $path_ = weft && $CURRENT -gt 2 ]]; then
    path_="$path_ \${words[2]}"
    if [[ \${words[2]} = ovsdb && $CURRENT -gt 3 ]]; then path_="$path_ \${words[3]}"; fi
  fi
  case $path_ in
${cases.join('\n')}
  esac
  _describe 'command' choices || _files
}
compdef _weft ${programs().join(' ')}
`;
}

function fish(top: readonly Summary[]): string {
  const lines = places(top).flatMap(({ path, choices }) => {
    const [program, ...words] = path.split(' ');
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
    const condition = words.length > 0 ? seen.join('; and ') : '__fish_use_subcommand';
    return choices.map(({ word, help }) => {
      const plain = word.replace(/=$/, '');
      const what = plain.startsWith('--')
        ? `-l ${plain.slice(2)}${word.endsWith('=') ? ' -r' : ''}`
        : `-a ${quote(plain)}`;
      const when = program === 'weft' ? ` -n ${quote(condition)}` : '';
      return `complete -c ${program}${when} ${what} -d ${quote(help)}`;
    });
  });
  return `# fish completion for weft and its clients; load it with: weft completion fish | source\n${lines.join('\n')}\n`;
}

/** @param top the subcommands of weft */
export const completionFor = (shell: Shell, top: readonly Summary[]): string => ({ bash, zsh, fish })[shell](top);
