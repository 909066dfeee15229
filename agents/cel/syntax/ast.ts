/**
 * The tree that the parser builds and the checker fills in.
 * In: nothing. Out: types only. Never: behaviour.
 * Source: the CEL language definition; macros stand as nodes of their own, unexpanded.
 */
import type { CelType } from "../types.ts";
import type { Value } from "../values.ts";

interface At {
  /** Offset of the node's own token in the source, in UTF-16 units. */
  readonly at: number;
  /** Filled in by the checker. */
  type?: CelType;
}

export interface Literal extends At {
  readonly kind: "literal";
  readonly value: Value;
}

export interface Ident extends At {
  readonly kind: "ident";
  readonly name: string;
}

export interface Select extends At {
  readonly kind: "select";
  readonly operand: Node;
  readonly field: string;
  /** `has(a.b)`: asks only whether it is there. */
  readonly test: boolean;
  /** `a.?b` */
  readonly optional: boolean;
}

export interface Call extends At {
  readonly kind: "call";
  /** Operators under their formal names: `_+_`, `_[_]`, `@in`. */
  name: string;
  /** The receiver of `a.f()`; the checker drops it where it was the first part of a name. */
  target?: Node;
  readonly args: readonly Node[];
  /** Indices into the function's overloads that may apply; filled in by the checker. */
  overloads?: readonly number[];
}

export interface List extends At {
  readonly kind: "list";
  readonly elements: readonly { readonly value: Node; readonly optional: boolean }[];
}

export interface MapNode extends At {
  readonly kind: "map";
  readonly entries: readonly MapEntry[];
}

export interface MapEntry {
  readonly at: number;
  readonly key: Node;
  readonly value: Node;
  readonly optional: boolean;
}

export interface Struct extends At {
  readonly kind: "struct";
  readonly name: string;
  readonly entries: readonly {
    readonly at: number;
    readonly field: string;
    readonly value: Node;
    readonly optional: boolean;
  }[];
}

export const LOOPS = [
  "all",
  "exists",
  "existsOne",
  "map",
  "filter",
  "transformList",
  "transformMap",
  "transformMapEntry",
  "optMap",
  "optFlatMap",
  "sortBy",
] as const;

/** `range.all(x, body)` and its kin; two variables are index or key, and value. */
export interface Loop extends At {
  readonly kind: "loop";
  readonly loop: typeof LOOPS[number];
  readonly range: Node;
  readonly variables: readonly [string] | readonly [string, string];
  /** The filter of three-argument forms. */
  readonly filter?: Node;
  readonly body: Node;
}

export type Node = Literal | Ident | Select | Call | List | MapNode | Struct | Loop;
