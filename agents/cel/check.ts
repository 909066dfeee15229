/**
 * Gives every node of a tree its type, and every call the overloads that may answer it.
 * In: a tree and the names it may use. Out: the same tree, filled in, or what is wrong and where.
 * Never: values. Source: the CEL language definition, section Gradual Type Checking; messages
 * worded as cel-go words them.
 */
import type { FunctionTable } from "./functions.ts";
import type { Call, Loop, MapNode, Node, Select, Struct } from "./syntax/ast.ts";
import type { SyntaxProblem } from "./syntax/lex.ts";
import { qualifiedName } from "./syntax/parse.ts";
import {
  type Bindings,
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DYN,
  formatType,
  INT,
  isAssignable,
  listOf,
  mapOf,
  NULL,
  optionalOf,
  sameType,
  STRING,
  substitute,
  TYPE,
  UINT,
} from "./types.ts";
import { Uint, type Value } from "./values.ts";

export interface Names {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly functions: FunctionTable;
  /** Types that `Name{…}` may make. */
  readonly structs?: (name: string) => CelType | undefined;
}

const TYPE_NAMES = new Set([
  "bool",
  "bytes",
  "double",
  "duration",
  "int",
  "list",
  "map",
  "null_type",
  "string",
  "timestamp",
  "type",
  "uint",
  "optional_type",
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
]);

export function isTypeName(name: string): boolean {
  return TYPE_NAMES.has(name) || name.startsWith("kubernetes.") || name.startsWith("net.");
}

/**
 * Checks a tree in place.
 * @returns every problem found; the tree's own `type` is its result's.
 */
export function check(tree: Node, names: Names): readonly SyntaxProblem[] {
  const checker = new Checker(names);
  checker.check(tree);
  if (checker.problems.length === 0) checker.settle();
  return checker.problems;
}

class Checker {
  readonly problems: SyntaxProblem[] = [];
  #bindings: Bindings = new Map();
  #fresh = 0;
  #nodes: Node[] = [];
  readonly #scopes: Map<string, CelType>[] = [];

  constructor(readonly names: Names) {}

  /** Puts in what became known of type parameters; what never did is dyn. */
  settle(): void {
    for (const node of this.#nodes) node.type = substitute(node.type!, this.#bindings, DYN);
  }

  check(node: Node): CelType {
    const type = this.#typeOf(node);
    node.type = type;
    this.#nodes.push(node);
    return type;
  }

  #report(at: number, message: string): CelType {
    this.problems.push({ at, message });
    return DYN;
  }

  #typeOf(node: Node): CelType {
    switch (node.kind) {
      case "literal":
        return literalType(node.value);
      case "ident":
        return this.#variable(node.name) ??
          this.#report(node.at, `undeclared reference to '${node.name}' (in container '')`);
      case "select":
        return this.#select(node);
      case "call":
        return this.#call(node);
      case "list":
        return listOf(this.#elements(node.elements.map(({ value, optional }) => {
          const type = this.check(value);
          return { at: value.at, type: optional ? this.#unwrapped(value.at, type) : type };
        })));
      case "map":
        return this.#map(node);
      case "struct":
        return this.#struct(node);
      case "loop":
        return this.#loop(node);
    }
  }

  #variable(name: string): CelType | undefined {
    if (!name.startsWith(".")) {
      for (let level = this.#scopes.length - 1; level >= 0; level--) {
        const type = this.#scopes[level].get(name);
        if (type !== undefined) return type;
      }
    }
    const plain = name.startsWith(".") ? name.slice(1) : name;
    return this.names.variables.get(plain) ?? (isTypeName(plain) ? TYPE : undefined);
  }

  #resolved(type: CelType): CelType {
    return substitute(type, this.#bindings);
  }

  #select(node: Select): CelType {
    const name = node.test ? undefined : qualifiedName(node);
    if (name !== undefined && !this.#isShadowed(name) && isTypeName(name)) return TYPE;
    const dotted = name === undefined ? undefined : this.#dotted(name);
    if (dotted !== undefined) return dotted;
    const operand = this.#resolved(this.check(node.operand));
    const isOptional = operand.kind === "optional";
    const type = this.#field(node, isOptional ? operand.of : operand);
    if (node.test) return BOOL;
    return isOptional || node.optional
      ? (type.kind === "optional" && node.optional ? type : optionalOf(type))
      : type;
  }

  /** A variable whose own name has dots, such as `authorizer.requestResource`. */
  #dotted(name: string): CelType | undefined {
    const root = name.split(".")[0];
    if (this.#scopes.some((scope) => scope.has(root))) return undefined;
    return this.names.variables.get(name);
  }

  #isShadowed(name: string): boolean {
    const root = name.split(".")[0];
    return this.names.variables.has(root) || this.#scopes.some((scope) => scope.has(root));
  }

  #field(node: Select, operand: CelType): CelType {
    switch (operand.kind) {
      case "map":
        return operand.value;
      case "object":
        return operand.field(node.field) ??
          this.#report(node.at, `undefined field '${node.field}'`);
      case "dyn":
      case "param":
        return DYN;
      default:
        return this.#report(
          node.at,
          `type '${formatType(operand)}' does not support field selection`,
        );
    }
  }

  #call(node: Call): CelType {
    if (node.target !== undefined) {
      const receiver = qualifiedName(node.target);
      const name = receiver === undefined ? "" : `${receiver.replace(/^\./, "")}.${node.name}`;
      if (
        receiver !== undefined && this.names.functions.byName.has(name) &&
        !this.#isShadowed(name)
      ) {
        node.name = name;
        node.target = undefined;
      }
    }
    if (node.name === "_&&_" || node.name === "_||_" || node.name === "_?_:_") {
      return this.#logical(node);
    }
    const isMember = node.target !== undefined;
    const args = [...(node.target === undefined ? [] : [node.target]), ...node.args]
      .map((argument) => this.check(argument));
    const overloads = this.names.functions.byName.get(node.name.replace(/^\./, ""));
    if (overloads === undefined) {
      return this.#report(
        node.at,
        `undeclared reference to '${node.name}' (in container '')`,
      );
    }
    return this.#dispatch(node, args, isMember);
  }

  #dispatch(node: Call, args: readonly CelType[], isMember: boolean): CelType {
    node.name = node.name.replace(/^\./, "");
    const overloads = this.names.functions.byName.get(node.name)!;
    const matching: number[] = [];
    let result: CelType | undefined;
    let after = this.#bindings;
    overloads.forEach((overload, index) => {
      if (overload.member !== isMember || overload.params.length !== args.length) return;
      const suffix = `#${this.#fresh++}`;
      const bindings: Bindings = new Map(this.#bindings);
      const fits = overload.params.every((wanted, position) =>
        isAssignable(renamed(wanted, suffix), args[position], bindings)
      );
      if (!fits) return;
      matching.push(index);
      const type = substitute(renamed(overload.result, suffix), bindings);
      result = result === undefined || sameType(result, type) ? type : DYN;
      after = matching.length === 1 ? bindings : this.#bindings;
    });
    if (result === undefined) {
      const shown = args.map((type) => formatType(substitute(type, this.#bindings, DYN)));
      const signature = isMember
        ? `${shown[0]}.(${shown.slice(1).join(", ")})`
        : `(${shown.join(", ")})`;
      return this.#report(
        node.at,
        `found no matching overload for '${node.name}' applied to '${signature}'`,
      );
    }
    this.#bindings = after;
    node.overloads = matching;
    return result;
  }

  #logical(node: Call): CelType {
    const types = node.args.map((argument) => this.check(argument));
    if (node.name === "_?_:_") {
      const [condition, yes, no] = types;
      if (this.#fits(BOOL, condition) && this.#fits(yes, no)) return this.#joined(yes, no);
    } else if (types.every((type) => this.#fits(BOOL, type))) return BOOL;
    const shown = types.map((type) => formatType(substitute(type, this.#bindings, DYN)));
    return this.#report(
      node.at,
      `found no matching overload for '${node.name}' applied to '(${shown.join(", ")})'`,
    );
  }

  #fits(wanted: CelType, given: CelType): boolean {
    const bindings: Bindings = new Map(this.#bindings);
    if (!isAssignable(wanted, given, bindings)) return false;
    this.#bindings = bindings;
    return true;
  }

  /** Of two types that fit, the one that says less. */
  #joined(a: CelType, b: CelType): CelType {
    const left = this.#resolved(a);
    const right = this.#resolved(b);
    if (left.kind === "null_type") return right;
    return right.kind === "dyn" ? right : left;
  }

  #elements(elements: readonly { readonly at: number; readonly type: CelType }[]): CelType {
    let joined: CelType | undefined;
    for (const { at, type } of elements) {
      if (joined === undefined) joined = type;
      else if (this.#fits(joined, type)) joined = this.#joined(joined, type);
      else {
        const wanted = formatType(this.#resolved(joined));
        const given = formatType(this.#resolved(type));
        this.#report(at, `expected type '${wanted}' but found '${given}'`);
      }
    }
    return joined ?? { kind: "param", name: `#e${this.#fresh++}` };
  }

  #unwrapped(at: number, type: CelType): CelType {
    const resolved = this.#resolved(type);
    if (resolved.kind === "optional") return resolved.of;
    if (resolved.kind === "dyn") return DYN;
    return this.#report(
      at,
      `expected type 'optional_type(${formatType(resolved)})' but found '${formatType(resolved)}'`,
    );
  }

  #map(node: MapNode): CelType {
    const keys: { at: number; type: CelType }[] = [];
    const values: { at: number; type: CelType }[] = [];
    for (const { key, value, optional } of node.entries) {
      keys.push({ at: key.at, type: this.check(key) });
      const type = this.check(value);
      values.push({ at: value.at, type: optional ? this.#unwrapped(value.at, type) : type });
    }
    return mapOf(this.#elements(keys), this.#elements(values));
  }

  #struct(node: Struct): CelType {
    const type = this.names.structs?.(node.name);
    for (const { at, field, value, optional } of node.entries) {
      const given = this.check(value);
      if (type === undefined || type.kind !== "object") continue;
      const wanted = type.field(field);
      if (wanted === undefined) {
        this.#report(at, `undefined field '${field}'`);
        continue;
      }
      const plain = optional ? this.#unwrapped(value.at, given) : given;
      if (this.#fits(wanted, plain)) continue;
      this.#report(
        at,
        `expected type of field '${field}' is '${formatType(wanted)}' but provided type is ` +
          `'${formatType(this.#resolved(plain))}'`,
      );
    }
    return type ??
      this.#report(node.at, `undeclared reference to '${node.name}' (in container '')`);
  }

  #loop(node: Loop): CelType {
    const range = this.#resolved(this.check(node.range));
    const isOptional = node.loop === "optMap" || node.loop === "optFlatMap";
    const types = isOptional
      ? this.#optionalRange(node, range)
      : this.#iterated(node, range, node.variables.length === 2);
    this.#scopes.push(new Map(node.variables.map((name, index) => [name, types[index]])));
    if (node.filter !== undefined) this.#wantBool(node.filter);
    const body = node.loop === "all" || node.loop === "exists" || node.loop === "existsOne" ||
        node.loop === "filter"
      ? this.#wantBool(node.body)
      : this.check(node.body);
    this.#scopes.pop();
    switch (node.loop) {
      case "all":
      case "exists":
      case "existsOne":
        return BOOL;
      case "filter":
        return listOf(types[0]);
      case "sortBy":
        return range;
      case "map":
      case "transformList":
        return listOf(body);
      case "transformMap":
        return mapOf(types[0], body);
      case "transformMapEntry":
        return this.#entryMap(node.body, body);
      case "optMap":
        return optionalOf(body);
      case "optFlatMap":
        return optionalOf(this.#unwrapped(node.body.at, body));
    }
  }

  #entryMap(body: Node, type: CelType): CelType {
    const resolved = this.#resolved(type);
    if (resolved.kind === "map" || resolved.kind === "dyn") return resolved;
    return this.#report(
      body.at,
      `found no matching overload for 'cel.@mapInsert' applied to '(map, ${formatType(resolved)})'`,
    );
  }

  #wantBool(node: Node): CelType {
    const type = this.check(node);
    if (this.#fits(BOOL, type)) return BOOL;
    return this.#report(
      node.at,
      `expected type 'bool' but found '${formatType(this.#resolved(type))}'`,
    );
  }

  #optionalRange(node: Loop, range: CelType): readonly CelType[] {
    if (range.kind === "optional") return [range.of];
    if (range.kind === "dyn" || range.kind === "param") return [DYN];
    const shown = formatType(range);
    this.#report(node.at, `found no matching overload for 'hasValue' applied to '${shown}.()'`);
    return [DYN];
  }

  /** The types of the loop's variables: index and element, key and value. */
  #iterated(node: Loop, range: CelType, isPair: boolean): readonly CelType[] {
    switch (range.kind) {
      case "list":
        return isPair ? [INT, range.element] : [range.element];
      case "map":
        if (node.loop !== "sortBy") return isPair ? [range.key, range.value] : [range.key];
        break;
      case "dyn":
      case "param":
        return [DYN, DYN];
    }
    this.#report(
      node.range.at,
      `expression of type '${formatType(range)}' cannot be range of a comprehension ` +
        "(must be list, map, or dynamic)",
    );
    return [DYN, DYN];
  }
}

/** A function's parameters, told from those of every other call. */
function renamed(type: CelType, suffix: string): CelType {
  switch (type.kind) {
    case "param":
      return { kind: "param", name: type.name + suffix };
    case "list":
      return { ...type, element: renamed(type.element, suffix) };
    case "map":
      return { ...type, key: renamed(type.key, suffix), value: renamed(type.value, suffix) };
    case "optional":
      return optionalOf(renamed(type.of, suffix));
    default:
      return type;
  }
}

function literalType(value: Value): CelType {
  switch (typeof value) {
    case "string":
      return { kind: "string", maxSize: value.length };
    case "bigint":
      return INT;
    case "number":
      return DOUBLE;
    case "boolean":
      return BOOL;
  }
  if (value === null) return NULL;
  return value instanceof Uint ? UINT : value instanceof Uint8Array ? BYTES : STRING;
}
