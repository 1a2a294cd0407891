/** Lists of actions: what stands between commas, each by its form. */
import { limits } from '../../../spec/limits.ts';
import type { DpAction } from '../action.ts';
import type { PortByName } from '../match/attribute.ts';
import type { Scanner } from '../scanner.ts';
import { ctForm } from './ct.ts';
import type { ActionForm, FormatContext, ParseContext } from './form.ts';
import { nestedForms } from './nested.ts';
import { pushForms } from './push.ts';
import { setForm } from './set.ts';
import { simpleForms } from './simple.ts';
import { tunnelPushForm } from './tunnel-push.ts';
import { userspaceForm } from './userspace.ts';

const forms = new Map<string, ActionForm>(
  [...simpleForms, ...pushForms, ...nestedForms, ctForm, setForm, tunnelPushForm, userspaceForm].map((form) => [
    form.type,
    form,
  ]),
);
const output = forms.get('output')!;

function parseAction(s: Scanner, context: ParseContext): DpAction | null {
  if (/[0-9]/.test(s.text[s.at] ?? '')) return output.parse(s, context);
  const start = s.at;
  const word = s.word();
  const found = word === 'output' ? undefined : forms.get(word);
  if (found) return found.parse(s, context);
  s.at = start;
  const name = s.match(/[^,()\s]+/y);
  const port = name === '' ? null : (context.portByName?.(name) ?? null);
  if (port !== null) return { type: 'output', port };
  s.fail(name === '' ? 'expected an action' : `unknown action "${name}"`, start);
  return null;
}

function parseItems(s: Scanner, context: ParseContext): DpAction[] {
  const actions: DpAction[] = [];
  s.skipSeparators();
  if (/^drop\s*($|\))/.test(s.text.slice(s.at, s.at + 16)) && s.take('drop')) return actions;
  while (!s.atEnd && !s.peek(')') && !s.peek('dp-extra-info:')) {
    const action = parseAction(s, context);
    if (action) actions.push(action);
    s.skipSeparators();
  }
  return actions;
}

/** Reads actions up to a closing parenthesis, which stays, or the end. `drop` alone is the empty list. */
export function parseActionList(s: Scanner, portByName: PortByName | undefined): DpAction[] {
  let depth = 0;
  const context: ParseContext = {
    portByName,
    list(scanner) {
      if (++depth > limits.ACTION_DEPTH_MAX) scanner.fail('action lists nested too deeply');
      const actions = scanner.failed ? [] : parseItems(scanner, context);
      depth--;
      return actions;
    },
  };
  return parseItems(s, context);
}

export function formatActionList(actions: readonly DpAction[], portName: FormatContext['portName']): string {
  const context: FormatContext = {
    portName,
    list: (list) =>
      list.length === 0 ? 'drop' : list.map((action) => forms.get(action.type)!.format(action, context)).join(','),
  };
  return context.list(actions);
}
