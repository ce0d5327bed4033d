import { parseSync } from 'rolldown/utils';

export interface Import {
  readonly specifier: string;
  /** Counted from 1. */
  readonly line: number;
}

/**
 * Every module that a source text names: imports, re-exports, `import()` and `require()` with a literal, and types
 * (`import type`, `import('x').T`). Throws SyntaxError if the text does not parse.
 */
export function importsOf(file: string, text: string): Import[] {
  const { program, errors } = parseSync(file, text);
  const first = errors[0];
  if (first) throw new SyntaxError(`${file}: ${first.message}`);
  const found: { specifier: string; start: number }[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const each of value) visit(each);
    } else if (isNode(value)) {
      const specifier = specifierOf(value);
      if (specifier !== undefined) found.push({ specifier, start: value.start });
      for (const each of Object.values(value)) if (typeof each === 'object') visit(each);
    }
  };
  visit(program);
  return found
    .sort((a, b) => a.start - b.start)
    .map(({ specifier, start }) => ({ specifier, line: text.slice(0, start).split('\n').length }));
}

interface Node extends Record<string, unknown> {
  readonly type: string;
  readonly start: number;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function specifierOf(node: Node): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return literal(node.source);
    case 'TSExternalModuleReference':
      return literal(node.expression);
    case 'CallExpression': {
      const callee = node.callee;
      const args = node.arguments;
      const isRequire = isNode(callee) && callee.type === 'Identifier' && callee.name === 'require';
      return isRequire && Array.isArray(args) ? literal(args[0]) : undefined;
    }
    default:
      return undefined;
  }
}

function literal(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  if (value.type === 'Literal' && typeof value.value === 'string') return value.value;
  const quasis = value.quasis;
  if (value.type === 'TemplateLiteral' && Array.isArray(quasis) && quasis.length === 1 && isNode(quasis[0])) {
    return (quasis[0].value as { readonly cooked: string }).cooked;
  }
  return undefined;
}
