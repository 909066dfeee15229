/**
 * What makes a request wrong whatever the data: empty keys, contradicting flags, doubled keys.
 * In: decoded requests. Out: the first failure in etcd's order, or undefined.
 * Never: looks at stored data. The wire may call it before proposing; apply always does.
 * Source: the checks of etcd's v3 KV service.
 */
import { compareBytes } from "./storage/kv.ts";
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  StoreFailure,
  TxnRequest,
} from "./types.ts";

export const DEFAULT_MAX_TXN_OPS = 128;

export function checkRange(request: RangeRequest): StoreFailure | undefined {
  return request.key.length === 0 ? { kind: "emptyKey" } : undefined;
}

export function checkPut(request: PutRequest): StoreFailure | undefined {
  if (request.key.length === 0) return { kind: "emptyKey" };
  if (request.ignoreValue && request.value.length > 0) return { kind: "valueProvided" };
  if (request.ignoreLease && (request.lease ?? 0n) !== 0n) return { kind: "leaseProvided" };
  return undefined;
}

export function checkDeleteRange(request: DeleteRangeRequest): StoreFailure | undefined {
  return request.key.length === 0 ? { kind: "emptyKey" } : undefined;
}

/**
 * Checks a transaction and everything in it.
 * @param request decoded transaction.
 * @param maxTxnOps operations allowed in one branch; nested ones share what is left.
 * @returns the first failure.
 */
export function checkTxn(request: TxnRequest, maxTxnOps: number): StoreFailure | undefined {
  return checkOps(request, maxTxnOps) ??
    duplicateIn(request.success) ?? duplicateIn(request.failure);
}

function checkOps(request: TxnRequest, maxTxnOps: number): StoreFailure | undefined {
  const { compare, success, failure } = request;
  const most = Math.max(compare.length, success.length, failure.length);
  if (most > maxTxnOps) return { kind: "tooManyOps" };
  for (const { key } of compare) if (key.length === 0) return { kind: "emptyKey" };
  for (const ops of [success, failure]) {
    for (const op of ops) {
      const found = checkOp(op, maxTxnOps - most);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function checkOp(op: RequestOp, maxTxnOps: number): StoreFailure | undefined {
  switch (op.kind) {
    case "range":
      return checkRange(op);
    case "put":
      return checkPut(op);
    case "deleteRange":
      return checkDeleteRange(op);
    case "txn":
      return checkOps(op, maxTxnOps);
  }
}

/** What one branch writes. */
interface Writes {
  readonly puts: Map<string, Uint8Array>;
  readonly deletes: DeleteRangeRequest[];
}

function duplicateIn(ops: readonly RequestOp[]): StoreFailure | undefined {
  // One plain operation, as most branches have, has nothing to get in the way of.
  if (ops.length === 0 || (ops.length === 1 && ops[0].kind !== "txn")) return undefined;
  return collect(ops) === undefined ? { kind: "duplicateKey" } : undefined;
}

/**
 * Collects the writes of a branch.
 * @returns undefined when a key is put twice, or put and deleted, where both could happen.
 */
function collect(ops: readonly RequestOp[]): Writes | undefined {
  const puts = new Map<string, Uint8Array>();
  const deletes = ops.filter((op) => op.kind === "deleteRange");
  for (const op of ops) {
    if (op.kind !== "txn") continue;
    const then = collect(op.success);
    const otherwise = then && collect(op.failure);
    if (then === undefined || otherwise === undefined) return undefined;
    for (const [name, key] of then.puts) {
      if (puts.has(name) || covers(deletes, key)) return undefined;
    }
    for (const [name, key] of otherwise.puts) {
      if (puts.has(name) || covers(deletes, key)) return undefined;
    }
    // Only one of the two branches runs, so they may write the same key.
    for (const [name, key] of then.puts) puts.set(name, key);
    for (const [name, key] of otherwise.puts) puts.set(name, key);
    deletes.push(...then.deletes, ...otherwise.deletes);
  }
  for (const op of ops) {
    if (op.kind !== "put") continue;
    const name = keyName(op.key);
    if (puts.has(name) || covers(deletes, op.key)) return undefined;
    puts.set(name, op.key);
  }
  return { puts, deletes };
}

/** An end of one zero byte covers nothing here: etcd takes it for a plain, lower, end. */
function covers(deletes: readonly DeleteRangeRequest[], key: Uint8Array): boolean {
  return deletes.some(({ key: first, rangeEnd }) => {
    const order = compareBytes(first, key);
    if (rangeEnd === undefined || rangeEnd.length === 0) return order === 0;
    return order <= 0 && compareBytes(key, rangeEnd) < 0;
  });
}

function keyName(key: Uint8Array): string {
  let name = "";
  for (const byte of key) name += String.fromCharCode(byte);
  return name;
}
