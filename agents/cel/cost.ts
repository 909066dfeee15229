/**
 * The most that a program may cost, whatever values it meets.
 * In: a compiled program, whose types say how large values may be. Out: an upper bound of steps.
 * Never: runs it. Source: cel-go's checker/cost.go; upstream's library/cost.go (v1.36).
 */
import { type Extent, type FunctionTable, ONE } from "./functions.ts";
import type { Call, Loop, Node } from "./syntax/ast.ts";
import type { CelType } from "./types.ts";

interface Bound {
  readonly cost: number;
  readonly extent: Extent;
}

/** Nothing that comes of one request is larger: bytes of the largest body. */
const MAX_SIZE = 3 * 1024 * 1024;

/** Types nest without end where a schema does not say how deep. */
const MAX_NESTING = 4;

/** The largest that a value of a type can be. */
export function extentOfType(type: CelType, depth = 0): Extent {
  const inner = (of: CelType) =>
    depth < MAX_NESTING ? { element: extentOfType(of, depth + 1) } : {};
  switch (type.kind) {
    case "string":
    case "bytes":
      return { size: type.maxSize ?? Infinity };
    case "dyn":
    case "param":
      return { size: type.kind === "dyn" ? type.maxSize ?? Infinity : Infinity };
    case "list":
      return { size: type.maxSize ?? Infinity, ...inner(type.element) };
    case "map":
      return { size: type.maxSize ?? Infinity, ...inner(type.value) };
    case "optional":
      return extentOfType(type.of, depth);
    default:
      return ONE;
  }
}

/** @returns an upper bound of the steps of one evaluation; Infinity where nothing bounds it. */
export function estimateCost(tree: Node, functions: FunctionTable): number {
  return new Estimator(functions).estimate(tree).cost;
}

class Estimator {
  #scope = new Map<string, Extent>();

  constructor(readonly functions: FunctionTable) {}

  estimate(node: Node): Bound {
    const { cost, extent } = this.#bound(node);
    return extent.size <= MAX_SIZE
      ? { cost, extent }
      : { cost, extent: { ...extent, size: MAX_SIZE } };
  }

  #bound(node: Node): Bound {
    switch (node.kind) {
      case "literal":
        return { cost: 0, extent: literalExtent(node.value) };
      case "ident":
        return { cost: 1, extent: this.#scope.get(node.name) ?? extentOfType(node.type!) };
      case "select": {
        const operand = this.estimate(node.operand);
        if (node.test) return { cost: operand.cost, extent: ONE };
        return { cost: operand.cost + 1, extent: extentOfType(node.type!) };
      }
      case "call":
        return this.#call(node);
      case "list": {
        const parts = node.elements.map(({ value }) => this.estimate(value));
        const element = largest(parts);
        return { cost: 10 + sum(parts), extent: { size: parts.length, element } };
      }
      case "map": {
        const parts = node.entries.flatMap(({ key, value }) => [
          this.estimate(key),
          this.estimate(value),
        ]);
        const element = largest(parts);
        return { cost: 30 + sum(parts), extent: { size: node.entries.length, element } };
      }
      case "struct":
        return {
          cost: 40 + sum(node.entries.map(({ value }) => this.estimate(value))),
          extent: ONE,
        };
      case "loop":
        return this.#loop(node);
    }
  }

  #call(node: Call): Bound {
    const nodes = [...(node.target === undefined ? [] : [node.target]), ...node.args];
    const args = nodes.map((argument) => this.estimate(argument));
    if (node.name === "_?_:_") {
      const [condition, yes, no] = args;
      const cost = condition.cost + Math.max(yes.cost, no.cost);
      return { cost, extent: yes.extent.size > no.extent.size ? yes.extent : no.extent };
    }
    if (node.overloads === undefined) return { cost: sum(args), extent: ONE };
    const overloads = this.functions.byName.get(node.name)!;
    const extents = args.map(({ extent }) => extent);
    let cost = 0;
    let extent: Extent | undefined;
    for (const index of node.overloads) {
      const { cost: own, resultExtent } = overloads[index];
      cost = Math.max(cost, notNaN(own(extents)));
      const made = resultExtent?.(extents);
      if (made !== undefined && (extent === undefined || made.size > extent.size)) extent = made;
    }
    return { cost: sum(args) + cost, extent: extent ?? extentOfType(node.type!) };
  }

  #loop(node: Loop): Bound {
    const range = this.estimate(node.range);
    const outer = this.#scope;
    this.#scope = new Map(outer);
    const isMap = node.range.type?.kind === "map";
    const element = range.extent.element ?? { size: Infinity };
    const [first, second] = node.variables;
    if (node.loop === "optMap" || node.loop === "optFlatMap") this.#scope.set(first, range.extent);
    else if (second !== undefined) this.#scope.set(second, element);
    else if (!isMap) this.#scope.set(first, element);
    const filter = node.filter === undefined ? 0 : this.estimate(node.filter).cost;
    const body = this.estimate(node.body);
    this.#scope = outer;
    const { size } = range.extent;
    const each = (steps: number) => notNaN(size * (steps + filter + body.cost));
    switch (node.loop) {
      case "all":
        return { cost: range.cost + each(3) + 1, extent: ONE };
      case "exists":
        return { cost: range.cost + each(4) + 1, extent: ONE };
      case "existsOne":
        return { cost: range.cost + each(2) + 2, extent: ONE };
      case "filter":
        return { cost: range.cost + each(13) + 11, extent: { size, element } };
      case "map":
      case "transformList":
        return { cost: range.cost + each(12) + 11, extent: { size, element: body.extent } };
      case "transformMap":
      case "transformMapEntry":
        return { cost: range.cost + each(3) + 31, extent: { size, element: body.extent } };
      case "sortBy":
        return {
          cost: range.cost + each(13 + Math.ceil(Math.log2(size + 2))) + 10,
          extent: range.extent,
        };
      case "optMap":
      case "optFlatMap":
        return { cost: range.cost + 1 + body.cost, extent: body.extent };
    }
  }
}

function literalExtent(value: unknown): Extent {
  if (typeof value === "string") return { size: value.length };
  if (value instanceof Uint8Array) return { size: value.length };
  return typeof value === "bigint" ? { size: 1, amount: Number(value) } : ONE;
}

function sum(parts: readonly Bound[]): number {
  return parts.reduce((total, { cost }) => total + cost, 0);
}

function largest(parts: readonly Bound[]): Extent {
  return parts.reduce(
    (best, { extent }) => extent.size > best.size ? extent : best,
    { size: 0 } as Extent,
  );
}

/** Nothing times without end is nothing. */
function notNaN(cost: number): number {
  return Number.isNaN(cost) ? 0 : cost;
}
