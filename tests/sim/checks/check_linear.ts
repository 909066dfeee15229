/**
 * Linearizability without believing revisions: for each key a search for some order of its
 * operations that one register could have shown.
 * In: the operations of a run. Out: how many keys were searched; or the key without an order.
 * Never: searches for ever; a key that is too hard is counted as given up.
 * Keys are independent here, because an order of the whole store gives one for each of its keys.
 * Source: Wing and Gong (1993), with Lowe's memory of visited states (2017), as Porcupine does it.
 */
import type { OpRecord } from "./history.ts";
import { Violation } from "./history.ts";
import { type Answer, type Condition, isInRange, type KvOp, show } from "./model.ts";

/** What one operation does to one key: a condition on what is there, and what is there then. */
interface Action {
  readonly record: OpRecord;
  readonly invoked: number;
  /** Infinity when nobody knows whether it took effect. */
  completed: number;
  /** The value seen; undefined = any. 0 = no key. */
  readonly sees: number | undefined;
  /** The value left; undefined = unchanged. 0 = deleted. */
  readonly leaves: number | undefined;
}

/** States visited for one key before its search is given up. */
const MAX_STATES = 50_000;

export interface Searched {
  readonly keys: number;
  readonly givenUp: number;
}

/** Searches every key that no lease touches. Errors: throws a Violation. */
export function checkKeys(ops: readonly OpRecord[]): Searched {
  const byKey = new Map<string, Action[]>();
  for (const record of ops) {
    for (const key of keysOf(record.op)) {
      const action = actionOf(record, key);
      if (action === null) continue;
      const list = byKey.get(key);
      if (list === undefined) byKey.set(key, [action]);
      else list.push(action);
    }
  }
  let givenUp = 0;
  for (const [key, actions] of byKey) {
    const outcome = search(withoutUnseen(actions));
    if (outcome === "none") {
      throw new Violation(`no order of the operations on ${key} explains what its clients saw`);
    }
    if (outcome === "givenUp") givenUp++;
  }
  return { keys: byKey.size, givenUp };
}

/** Leaves out writes that may not have happened and that nobody saw: no order needs them. */
function withoutUnseen(actions: readonly Action[]): Action[] {
  const seen = new Set(actions.map(({ sees }) => sees));
  return actions.filter(({ completed, leaves }) =>
    completed < Number.POSITIVE_INFINITY || (leaves !== undefined && seen.has(leaves))
  );
}

const PLAIN_KEYS = Array.from({ length: 16 }, (_, i) => `k${String(i).padStart(2, "0")}`);

function keysOf(op: KvOp): readonly string[] {
  switch (op.kind) {
    case "put":
      return op.lease === 0n && op.key.startsWith("k") ? [op.key] : [];
    case "get":
      if (op.serializable || op.revision > 0 || !op.key.startsWith("k")) return [];
      return PLAIN_KEYS.filter((key) => isInRange(key, op.key, op.end));
    case "delete":
      return PLAIN_KEYS.filter((key) => isInRange(key, op.key, op.end));
    case "txn":
      return op.compare.length === 1 && op.compare[0].key.startsWith("k")
        ? [op.compare[0].key]
        : [];
  }
}

/** @returns what a record says of one key; null when it says nothing */
function actionOf(record: OpRecord, key: string): Action | null {
  const { op, outcome, invoked } = record;
  if (outcome.kind === "refused") return null;
  const known = outcome.kind === "ok";
  const completed = known ? record.completed : Number.POSITIVE_INFINITY;
  const base = { record, invoked, completed, sees: undefined, leaves: undefined };
  const answer = known ? outcome.answer : null;
  switch (op.kind) {
    case "put":
      return { ...base, sees: previous(op, answer), leaves: op.value };
    case "get":
      return answer?.kind === "get" ? seen(base, answer, key) : null;
    case "delete":
      return { ...base, leaves: 0, sees: op.end === "" ? previous(op, answer) : undefined };
    case "txn":
      return compareAndSwap(base, { condition: op.compare[0], op, answer });
  }
}

function previous(op: KvOp, answer: Answer | null): number | undefined {
  if (answer?.kind === "put" && op.kind === "put" && op.prevKv) return answer.prev?.value ?? 0;
  if (answer?.kind === "delete" && op.kind === "delete") {
    if (answer.deleted === 0) return 0;
    return op.prevKv ? answer.prevs[0]?.value : undefined;
  }
  return undefined;
}

function seen(base: Action, answer: Extract<Answer, { kind: "get" }>, key: string): Action | null {
  const item = answer.items.find((one) => one.key === key);
  // Beyond a limit, absence says nothing.
  if (item === undefined && answer.more) return null;
  return { ...base, sees: item?.value ?? 0 };
}

/** Only the outcome tells which branch ran; a condition on a value also tells what was there. */
function compareAndSwap(
  base: Action,
  parts: { condition: Condition; op: Extract<KvOp, { kind: "txn" }>; answer: Answer | null },
): Action | null {
  const { condition, op, answer } = parts;
  const put = op.success[0];
  if (put.kind !== "put") return null;
  const onValue = condition.target === "value" && condition.result === "equal";
  if (answer === null) {
    // It may have put, if the value was there; or done nothing, which explains itself.
    return { ...base, sees: onValue ? condition.value : undefined, leaves: put.value };
  }
  if (answer.kind !== "txn") return null;
  if (answer.succeeded) {
    const absent = condition.target === "create" && condition.value === 0;
    return {
      ...base,
      sees: onValue ? condition.value : absent ? 0 : undefined,
      leaves: put.value,
    };
  }
  const inner = answer.answers[0];
  return inner?.kind === "get" ? seen(base, inner, condition.key) : null;
}

// ---- the search ---------------------------------------------------------------------------------

/** One end of an operation in a list that shrinks and grows as the search goes. */
interface Mark {
  readonly action: number;
  readonly time: number;
  readonly isCall: boolean;
  /** For a call: its return. */
  match: Mark | null;
  previous: Mark | null;
  next: Mark | null;
}

function marksOf(actions: readonly Action[]): Mark {
  const marks: Mark[] = [];
  actions.forEach(({ invoked, completed }, action) => {
    const end: Mark = blank({ action, time: completed, isCall: false });
    const call: Mark = blank({ action, time: invoked, isCall: true });
    call.match = end;
    marks.push(call, end);
  });
  marks.sort((a, b) => a.time - b.time || Number(b.isCall) - Number(a.isCall));
  const head = blank({ action: -1, time: -1, isCall: true });
  let last = head;
  for (const mark of marks) {
    last.next = mark;
    mark.previous = last;
    last = mark;
  }
  return head;
}

function blank(parts: Pick<Mark, "action" | "time" | "isCall">): Mark {
  return { ...parts, match: null, previous: null, next: null };
}

function unlink(mark: Mark): void {
  mark.previous!.next = mark.next;
  if (mark.next !== null) mark.next.previous = mark.previous;
}

function relink(mark: Mark): void {
  mark.previous!.next = mark;
  if (mark.next !== null) mark.next.previous = mark;
}

function search(actions: readonly Action[]): "some" | "none" | "givenUp" {
  const head = marksOf(actions);
  const visited = new Set<string>();
  const done = new Done(actions.length);
  const stack: { call: Mark; before: number }[] = [];
  let state = 0;
  let required = actions.filter(({ completed }) => completed < Number.POSITIVE_INFINITY).length;
  let at = head.next;
  while (required > 0) {
    if (at !== null && at.isCall) {
      const action = actions[at.action];
      const fits = action.sees === undefined || action.sees === state;
      const after = action.leaves ?? state;
      if (fits && visitNew(visited, done, { action: at.action, state: after })) {
        if (visited.size > MAX_STATES) return "givenUp";
        stack.push({ call: at, before: state });
        state = after;
        done.flip(at.action);
        if (action.completed < Number.POSITIVE_INFINITY) required--;
        unlink(at);
        unlink(at.match!);
        at = head.next;
      } else at = at.next;
      continue;
    }
    // A return whose operation has no place yet, or the end of the list: the last choice was wrong.
    const last = stack.pop();
    if (last === undefined) return "none";
    const { action } = last.call;
    state = last.before;
    done.flip(action);
    if (actions[action].completed < Number.POSITIVE_INFINITY) required++;
    relink(last.call.match!);
    relink(last.call);
    at = last.call.next;
  }
  return "some";
}

/** Which operations have their place; its text names, with a value, a state of the search. */
class Done {
  readonly #words: Uint32Array;
  #hash = 0;

  constructor(count: number) {
    this.#words = new Uint32Array((count >>> 5) + 1);
  }

  flip(action: number): void {
    this.#words[action >>> 5] ^= 1 << (action & 31);
    this.#hash = (this.#hash ^ mix(action)) >>> 0;
  }

  /** A name of this set with one more member: 64 bits of hash, which is enough for so few. */
  nameWith(action: number): string {
    let second = 0;
    const word = action >>> 5;
    for (let i = 0; i < this.#words.length; i++) {
      const bits = i === word ? this.#words[i] | 1 << (action & 31) : this.#words[i];
      second = Math.imul(second ^ bits, 0x01000193) + 0x9e3779b9 | 0;
    }
    return `${(this.#hash ^ mix(action)) >>> 0}/${second >>> 0}`;
  }
}

function mix(value: number): number {
  let mixed = Math.imul(value + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

function visitNew(
  visited: Set<string>,
  done: Done,
  next: { readonly action: number; readonly state: number },
): boolean {
  const name = `${done.nameWith(next.action)}/${next.state}`;
  if (visited.has(name)) return false;
  visited.add(name);
  return true;
}

/** For failures: the operations on one key, in the order they began. */
export function describeKey(ops: readonly OpRecord[], key: string): string {
  return ops.filter(({ op }) => keysOf(op).includes(key)).map(show).join("\n");
}
