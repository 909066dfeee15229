/**
 * Turns a checked tree into a function: one closure a node, variables in slots.
 * In: a tree that check.ts has filled in. Out: a function of a frame.
 * Never: runs on when the frame's budget is spent; a failure of the expression is a CelError that
 * `&&`, `||`, `all` and `exists` may absorb. Source: the CEL language definition, section
 * Evaluation; costs as in cel-go's interpreter/runtimecost.go.
 */
import type { Names } from "./check.ts";
import { isTypeName } from "./check.ts";
import { charge, type Step } from "./frame.ts";
import { extentOf, type Overload } from "./functions.ts";
import { planLoop } from "./loops.ts";
import type { Call, List, MapNode, Node, Select, Struct } from "./syntax/ast.ts";
import { qualifiedName } from "./syntax/parse.ts";
import { type CelType, formatType } from "./types.ts";
import {
  ArrayList,
  CelError,
  isOfType,
  JsonMap,
  LiteralMap,
  MapValue,
  NONE,
  Optional,
  toJson,
  TypeValue,
  type Value,
} from "./values.ts";

/** What closures are built from: names of functions, and which slot a name stands in. */
export class Builder {
  #slots: Map<string, number>;
  slotCount: number;

  constructor(readonly names: Names) {
    this.#slots = new Map([...names.variables.keys()].map((name, slot) => [name, slot]));
    this.slotCount = this.#slots.size;
  }

  /** Runs `build` while the names stand for new slots. */
  within<T>(names: readonly string[], build: (slots: readonly number[]) => T): T {
    const outer = this.#slots;
    const slots = names.map(() => this.slotCount++);
    this.#slots = new Map([...outer, ...names.map((name, i) => [name, slots[i]] as const)]);
    const built = build(slots);
    this.#slots = outer;
    return built;
  }

  build(node: Node): Step {
    switch (node.kind) {
      case "literal": {
        const { value } = node;
        return () => value;
      }
      case "ident":
        return this.#ident(node.name);
      case "select":
        return this.#select(node);
      case "call":
        return this.#call(node);
      case "list":
        return this.#list(node);
      case "map":
        return this.#map(node);
      case "struct":
        return this.#struct(node);
      case "loop":
        return planLoop(node, this);
    }
  }

  #ident(name: string): Step {
    const plain = name.startsWith(".") ? name.slice(1) : name;
    const slot = this.#slots.get(plain);
    if (slot === undefined) {
      const type = new TypeValue(TYPE_ALIASES[plain] ?? plain);
      return () => type;
    }
    return (frame) => {
      charge(frame, 1);
      const value = frame.slots[slot];
      if (value === undefined) throw new CelError(`no such attribute(s): ${plain}`);
      return value;
    };
  }

  #select(node: Select): Step {
    const name = qualifiedName(node);
    if (
      name !== undefined && node.type?.kind === "type" && isTypeName(name) &&
      !this.#slots.has(name.split(".")[0])
    ) {
      const type = new TypeValue(name);
      return () => type;
    }
    // Where a loop's variable hides the root, the checker has given the operand a type.
    const isDotted = name !== undefined && node.operand.type === undefined && this.#slots.has(name);
    if (isDotted) return this.#ident(name);
    const operand = this.build(node.operand);
    const { field } = node;
    if (node.test) return (frame) => present(operand(frame), field);
    const isOptional = node.optional;
    return (frame) => {
      const container = operand(frame);
      charge(frame, 1);
      if (container instanceof Optional || isOptional) return maybeField(container, field);
      if (!(container instanceof MapValue)) throw new CelError("no such overload");
      const value = container.get(field);
      if (value === undefined) throw new CelError(`no such key: ${field}`);
      return value;
    };
  }

  #call(node: Call): Step {
    switch (node.name) {
      case "_&&_":
        return this.#connective(node.args, false);
      case "_||_":
        return this.#connective(node.args, true);
      case "_?_:_":
        return this.#conditional(node.args);
    }
    const nodes = [...(node.target === undefined ? [] : [node.target]), ...node.args];
    const args = nodes.map((argument) => this.build(argument));
    const all = this.names.functions.byName.get(node.name)!;
    const overloads = node.overloads!.map((index) => all[index]);
    const isSure = overloads.length === 1 &&
      nodes.every((argument, index) => isSureOf(argument.type!, overloads[0].params[index]));
    return isSure ? direct(overloads[0], args) : dispatched(overloads, args);
  }

  /** `false && error` is false, in either order; `||` likewise with true. */
  #connective(nodes: readonly Node[], decisive: boolean): Step {
    const terms = nodes.map((node) => this.build(node));
    return (frame) => {
      let failure: CelError | undefined;
      for (const term of terms) {
        try {
          const value = term(frame);
          if (value === decisive) return decisive;
          if (typeof value !== "boolean") failure ??= new CelError("no such overload");
        } catch (error) {
          if (!(error instanceof CelError)) throw error;
          failure ??= error;
        }
      }
      if (failure !== undefined) throw failure;
      return !decisive;
    };
  }

  #conditional(nodes: readonly Node[]): Step {
    const [condition, yes, no] = nodes.map((node) => this.build(node));
    return (frame) => {
      const holds = condition(frame);
      if (typeof holds !== "boolean") throw new CelError("no such overload");
      return holds ? yes(frame) : no(frame);
    };
  }

  #list(node: List): Step {
    const elements = node.elements.map(({ value, optional }) => ({
      step: this.build(value),
      optional,
    }));
    return (frame) => {
      const items: Value[] = [];
      for (const { step, optional } of elements) {
        const item = optional ? unwrapped(step(frame)) : step(frame);
        if (item !== undefined) items.push(item);
      }
      charge(frame, 10);
      return new ArrayList(items);
    };
  }

  #map(node: MapNode): Step {
    const entries = node.entries.map(({ key, value, optional }) => ({
      key: this.build(key),
      value: this.build(value),
      optional,
    }));
    return (frame) => {
      const map = new LiteralMap();
      for (const { key, value, optional } of entries) {
        const keyValue = key(frame);
        const entry = optional ? unwrapped(value(frame)) : value(frame);
        if (entry !== undefined) map.add(keyValue, entry);
      }
      charge(frame, 30);
      return map;
    };
  }

  #struct(node: Struct): Step {
    const type = node.type!;
    const jsonName = type.kind === "object" ? type.jsonName : undefined;
    const fields = node.entries.map(({ field, value, optional }) => ({
      name: jsonName?.(field) ?? field,
      step: this.build(value),
      optional,
    }));
    return (frame) => {
      const raw: Record<string, unknown> = {};
      for (const { name, step, optional } of fields) {
        const value = optional ? unwrapped(step(frame)) : step(frame);
        if (value !== undefined) raw[name] = toJson(value);
      }
      charge(frame, 40);
      return new JsonMap(raw, type);
    };
  }
}

const TYPE_ALIASES: Readonly<Record<string, string>> = {
  timestamp: "google.protobuf.Timestamp",
  duration: "google.protobuf.Duration",
};

/** Whether a value of a static type can only be what the overload wants. */
function isSureOf(given: CelType, wanted: CelType): boolean {
  if (wanted.kind === "param" || wanted.kind === "dyn") return true;
  return given.kind === wanted.kind && given.kind !== "object" && given.kind !== "null_type" &&
    (given.kind !== "opaque" || formatType(given) === formatType(wanted));
}

function direct(overload: Overload, args: readonly Step[]): Step {
  const call = overload.call as (...values: Value[]) => Value;
  const { cost } = overload;
  if (args.length === 2) {
    const [first, second] = args;
    return (frame) => {
      const a = first(frame);
      const b = second(frame);
      charge(frame, cost([extentOf(a), extentOf(b)], [a, b]));
      return call(a, b);
    };
  }
  return (frame) => {
    const values = args.map((argument) => argument(frame));
    charge(frame, cost(values.map(extentOf), values));
    return call(...values);
  };
}

/** Chooses the overload by the values, where types leave it open. */
function dispatched(overloads: readonly Overload[], args: readonly Step[]): Step {
  return (frame) => {
    const values = args.map((argument) => argument(frame));
    for (const overload of overloads) {
      if (!overload.params.every((wanted, index) => isOfType(values[index], wanted))) continue;
      charge(frame, overload.cost(values.map(extentOf), values));
      return (overload.call as (...values: Value[]) => Value)(...values);
    }
    throw new CelError("no such overload");
  };
}

function present(operand: Value, field: string): boolean {
  const container = operand instanceof Optional ? operand.value : operand;
  if (container === undefined) return false;
  if (!(container instanceof MapValue)) throw new CelError("no such overload");
  return container.get(field) !== undefined;
}

function maybeField(container: Value, field: string): Value {
  const inner = container instanceof Optional ? container.value : container;
  if (inner === undefined) return NONE;
  if (!(inner instanceof MapValue)) throw new CelError("no such overload");
  const value = inner.get(field);
  return value === undefined ? NONE : new Optional(value);
}

function unwrapped(value: Value): Value | undefined {
  if (!(value instanceof Optional)) throw new CelError("no such overload");
  return value.value;
}
