/**
 * An asc transform: a function whose docstring or line comment says `@inline` on a line of its own is inlined always.
 *
 * AssemblyScript's own way is a decorator in front of the function, which neither TypeScript nor Biome can parse.
 */
import { Node, NodeKind } from 'assemblyscript/dist/assemblyscript.js';
import { Transform } from 'assemblyscript/transform';

const MARK = /^[\s/*]*@inline\s*(\*\/)?\s*$/m;

export default class Inline extends Transform {
  afterParse(parser) {
    for (const source of parser.sources) {
      if (source.isLibrary) continue;
      let end = 0;
      for (const statement of source.statements) {
        const before = source.text.slice(end, statement.range.start);
        end = statement.range.end;
        if (statement.kind !== NodeKind.FunctionDeclaration || !MARK.test(before)) continue;
        const range = statement.range;
        const decorator = Node.createDecorator(Node.createIdentifierExpression('inline', range), null, range);
        statement.decorators = [...(statement.decorators ?? []), decorator];
      }
    }
  }
}
