/**
 * The store as the simulation's clients and checkers see it: small operations, their bytes on the
 * store's interface, and what each must do to an obviously correct map.
 * In: operations, answers of the real store. Out: requests; the model's events and answers.
 * Never: shares code with the store.
 * Source: the etcd v3 API (KV and Txn semantics).
 */
import type {
  Compare,
  DeleteRangeResponse,
  KeyValue,
  PutResponse,
  RangeResponse,
  RequestOp,
  ResponseOp,
  StoreEvent,
  TxnResponse,
} from "../../../store/mod.ts";

export interface PutOp {
  readonly kind: "put";
  readonly key: string;
  /** Unique in the run: names the operation that wrote it. */
  readonly value: number;
  /** Bytes of the value, at least 8. */
  readonly size: number;
  readonly lease: bigint;
  readonly prevKv: boolean;
}

export interface GetOp {
  readonly kind: "get";
  readonly key: string;
  /** "" = the one key. */
  readonly end: string;
  readonly serializable: boolean;
  /** 0 = now. */
  readonly revision: number;
  readonly limit: number;
}

export interface DeleteOp {
  readonly kind: "delete";
  readonly key: string;
  readonly end: string;
  readonly prevKv: boolean;
}

export interface Condition {
  readonly key: string;
  readonly target: "version" | "create" | "mod" | "value";
  readonly result: "equal" | "greater" | "less" | "notEqual";
  readonly value: number;
  /** Bytes of a compared value. */
  readonly size: number;
}

export interface TxnOp {
  readonly kind: "txn";
  readonly compare: readonly Condition[];
  readonly success: readonly (PutOp | GetOp | DeleteOp)[];
  readonly failure: readonly (PutOp | GetOp | DeleteOp)[];
}

export type KvOp = PutOp | GetOp | DeleteOp | TxnOp;

/** A key at a revision, small enough to keep millions. */
export interface Item {
  readonly key: string;
  readonly value: number;
  readonly size: number;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

export interface SimChange {
  readonly type: "put" | "delete";
  /** For a delete: key and mod, the rest zero. */
  readonly item: Item;
  readonly prev: Item | null;
}

/** What a client was told; `revision` is the header's. */
export type Answer =
  | { readonly kind: "put"; readonly revision: number; readonly prev: Item | null }
  | {
    readonly kind: "get";
    readonly revision: number;
    readonly items: readonly Item[];
    readonly count: number;
    readonly more: boolean;
  }
  | {
    readonly kind: "delete";
    readonly revision: number;
    readonly deleted: number;
    readonly prevs: readonly Item[];
  }
  | {
    readonly kind: "txn";
    readonly revision: number;
    readonly succeeded: boolean;
    readonly answers: readonly Answer[];
  };

// ---- bytes --------------------------------------------------------------------------------------

const knownKeys = new Map<string, Uint8Array>();

/** @returns the bytes of an ASCII key, shared; "\0" alone is the end of all keys */
export function keyBytes(key: string): Uint8Array {
  let bytes = knownKeys.get(key);
  if (bytes === undefined) {
    bytes = Uint8Array.from(key, (letter) => letter.charCodeAt(0));
    // Leases bring ever new keys; the rest come again and again.
    if (key[0] !== "l") knownKeys.set(key, bytes);
  }
  return bytes;
}

function valueBytes(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size).fill(value & 0xff);
  for (let i = 0; i < 4; i++) {
    bytes[i] = value >>> 8 * i;
    bytes[i + 4] = size >>> 8 * i;
  }
  return bytes;
}

export function toItem(kv: KeyValue): Item {
  const { key, value } = kv;
  let text = "";
  for (let i = 0; i < key.length; i++) text += String.fromCharCode(key[i]);
  // A value that was cut, mixed up or belongs to another key does not decode to what was written.
  const known = value.length >= 8;
  const id = known
    ? (value[0] | value[1] << 8 | value[2] << 16 | value[3] << 24) >>> 0
    : value.length === 0
    ? 0
    : -1;
  const intact = !known || (value[8] ?? id & 0xff) === (id & 0xff) &&
      value[value.length - 1] === (value.length > 8 ? id & 0xff : value[value.length - 1]);
  return {
    key: text,
    value: intact ? id : -2,
    size: value.length,
    create: kv.createRevision,
    mod: kv.modRevision,
    version: kv.version,
    lease: kv.lease,
  };
}

export function toChange(event: StoreEvent): SimChange {
  const prev = event.prevKv === undefined ? null : toItem(event.prevKv);
  return { type: event.type, item: toItem(event.kv), prev };
}

export function toRequest(op: PutOp | GetOp | DeleteOp): RequestOp {
  switch (op.kind) {
    case "put":
      return {
        kind: "put",
        key: keyBytes(op.key),
        value: valueBytes(op.value, op.size),
        lease: op.lease,
        prevKv: op.prevKv,
      };
    case "get":
      return {
        kind: "range",
        key: keyBytes(op.key),
        rangeEnd: keyBytes(op.end),
        serializable: op.serializable,
        revision: op.revision,
        limit: op.limit,
      };
    case "delete":
      return {
        kind: "deleteRange",
        key: keyBytes(op.key),
        rangeEnd: keyBytes(op.end),
        prevKv: op.prevKv,
      };
  }
}

export function toCompare(condition: Condition): Compare {
  const { target, result } = condition;
  const key = keyBytes(condition.key);
  return target === "value"
    ? { key, result, target, value: valueBytes(condition.value, condition.size) }
    : { key, result, target, value: condition.value };
}

export function toAnswer(
  response: PutResponse | RangeResponse | DeleteRangeResponse | TxnResponse | ResponseOp,
): Answer {
  const { revision } = response;
  switch (response.kind) {
    case "put":
      return {
        kind: "put",
        revision,
        prev: response.prevKv === undefined ? null : toItem(response.prevKv),
      };
    case "range":
      return {
        kind: "get",
        revision,
        items: response.kvs.map(toItem),
        count: response.count,
        more: response.more,
      };
    case "deleteRange":
      return {
        kind: "delete",
        revision,
        deleted: response.deleted,
        prevs: response.prevKvs.map(toItem),
      };
    case "txn":
      return {
        kind: "txn",
        revision,
        succeeded: response.succeeded,
        answers: response.responses.map(toAnswer),
      };
  }
}

// ---- the model ----------------------------------------------------------------------------------

/** @returns whether `key` lies in `[from, end)`, as the API reads the two */
export function isInRange(key: string, from: string, end: string): boolean {
  if (end === "") return key === from;
  return key >= from && (end === "\0" || key < end);
}

/** An obviously correct store: one map, rebuilt revision by revision. */
export class Model {
  readonly items = new Map<string, Item>();
  revision = 1;

  select(from: string, end: string): Item[] {
    if (end === "") {
      const item = this.items.get(from);
      return item === undefined ? [] : [item];
    }
    return [...this.items.values()].filter(({ key }) => isInRange(key, from, end))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Takes over what a revision changed. */
  advance(revision: number, changes: readonly SimChange[]): void {
    this.revision = revision;
    for (const { type, item } of changes) {
      if (type === "put") this.items.set(item.key, item);
      else this.items.delete(item.key);
    }
  }

  /** @returns what `op` answers and changes if it is the next to be applied; changes nothing */
  evaluate(op: KvOp): { readonly answer: Answer; readonly changes: readonly SimChange[] } {
    const run = new Run(this);
    const answer = run.perform(op);
    return { answer: stamp(answer, run.revision), changes: run.changes };
  }
}

/** One operation on top of a model, as if it were applied next. */
class Run {
  readonly #model: Model;
  readonly changes: SimChange[] = [];
  readonly #written = new Map<string, Item | null>();

  constructor(model: Model) {
    this.#model = model;
  }

  get revision(): number {
    return this.#model.revision + (this.changes.length > 0 ? 1 : 0);
  }

  perform(op: KvOp): Answer {
    switch (op.kind) {
      case "put":
        return this.#put(op);
      case "get":
        return this.#get(op);
      case "delete":
        return this.#delete(op);
      case "txn": {
        const succeeded = op.compare.every((condition) => this.#holds(condition));
        const answers = (succeeded ? op.success : op.failure).map((one) => this.perform(one));
        return { kind: "txn", revision: 0, succeeded, answers };
      }
    }
  }

  #find(key: string): Item | undefined {
    const written = this.#written.get(key);
    return written === undefined ? this.#model.items.get(key) : written ?? undefined;
  }

  #put(op: PutOp): Answer {
    const prev = this.#find(op.key) ?? null;
    const mod = this.#model.revision + 1;
    const item: Item = {
      key: op.key,
      value: op.value,
      size: op.size,
      create: prev?.create ?? mod,
      mod,
      version: (prev?.version ?? 0) + 1,
      lease: op.lease,
    };
    this.#written.set(op.key, item);
    this.changes.push({ type: "put", item, prev });
    return { kind: "put", revision: 0, prev: op.prevKv ? prev : null };
  }

  #get(op: GetOp): Answer {
    let items = this.#model.select(op.key, op.end);
    if (this.#written.size > 0) {
      const merged = new Map(items.map((item) => [item.key, item]));
      for (const [key, item] of this.#written) {
        if (!isInRange(key, op.key, op.end)) continue;
        if (item === null) merged.delete(key);
        else merged.set(key, item);
      }
      items = [...merged.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    }
    const more = op.limit > 0 && items.length > op.limit;
    return {
      kind: "get",
      revision: 0,
      items: more ? items.slice(0, op.limit) : items,
      count: items.length,
      more,
    };
  }

  #delete(op: DeleteOp): Answer {
    const found = this.#get({
      ...op,
      kind: "get",
      serializable: false,
      revision: 0,
      limit: 0,
    }) as Extract<Answer, { kind: "get" }>;
    for (const prev of found.items) {
      this.#written.set(prev.key, null);
      this.changes.push({
        type: "delete",
        item: deleted(prev.key, this.#model.revision + 1),
        prev,
      });
    }
    const prevs = op.prevKv ? found.items : [];
    return { kind: "delete", revision: 0, deleted: found.items.length, prevs };
  }

  #holds(condition: Condition): boolean {
    const item = this.#find(condition.key);
    const { target, result } = condition;
    // A missing key has no value to compare, and zeros for the rest.
    if (target === "value" && item === undefined) return false;
    const actual = item === undefined ? 0 : item[target];
    switch (result) {
      case "equal":
        return actual === condition.value;
      case "notEqual":
        return actual !== condition.value;
      case "greater":
        return actual > condition.value;
      case "less":
        return actual < condition.value;
    }
  }
}

export function deleted(key: string, mod: number): Item {
  return { key, value: 0, size: 0, create: 0, mod, version: 0, lease: 0n };
}

function stamp(answer: Answer, revision: number): Answer {
  if (answer.kind !== "txn") return { ...answer, revision };
  return { ...answer, revision, answers: answer.answers };
}

// ---- comparison ---------------------------------------------------------------------------------

export function sameItem(a: Item | null, b: Item | null): boolean {
  if (a === null || b === null) return a === b;
  return a.key === b.key && a.value === b.value && a.size === b.size && a.create === b.create &&
    a.mod === b.mod && a.version === b.version && a.lease === b.lease;
}

function sameItems(a: readonly Item[], b: readonly Item[]): boolean {
  return a.length === b.length && a.every((item, i) => sameItem(item, b[i]));
}

export function sameChanges(a: readonly SimChange[], b: readonly SimChange[]): boolean {
  return a.length === b.length &&
    a.every((change, i) => change.type === b[i].type && sameItem(change.item, b[i].item));
}

/** Whether two answers agree; inner revisions of a transaction are not compared. */
export function sameAnswer(a: Answer, b: Answer, inner = false): boolean {
  if (!inner && a.revision !== b.revision) return false;
  switch (a.kind) {
    case "put":
      return b.kind === "put" && sameItem(a.prev, b.prev);
    case "get":
      return b.kind === "get" && a.count === b.count && a.more === b.more &&
        sameItems(a.items, b.items);
    case "delete":
      return b.kind === "delete" && a.deleted === b.deleted && sameItems(a.prevs, b.prevs);
    case "txn":
      return b.kind === "txn" && a.succeeded === b.succeeded &&
        a.answers.length === b.answers.length &&
        a.answers.every((answer, i) => sameAnswer(answer, b.answers[i], true));
  }
}

/** A text of anything above, for failures. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, field) => typeof field === "bigint" ? `${field}n` : field);
}
