/**
 * A store whose values are sealed on their way in and opened on their way out.
 * In: the store below, which resources are sealed with which keys. Out: a Store with plain values,
 * and which keys of it should be written again.
 * Never: passes a value on unsealed that should be sealed; hides one that does not open: that is
 * handed over as it is, and whoever reads it learns so (`registry.ts`).
 * Source: apiserver's storage/value/transformer.go (v1.36).
 */
import type {
  KeyValue,
  RangeRequest,
  RequestOp,
  ResponseOp,
  Store,
  StoreEvent,
  TxnRequest,
} from "../../../store/mod.ts";
import { decodeKey, groupResourceOfKey, isSealed } from "../registry.ts";
import { aesCbc, aesGcm, type Cipher } from "./ciphers.ts";
import type { EncryptionRule, Provider } from "./config.ts";

/** One way to read; the first of a resource is also how to write. */
interface Way {
  /** `k8s:enc:aesgcm:v1:KEY:`, empty for plain values. */
  readonly head: Uint8Array;
  readonly cipher: Cipher | null;
}

export interface SealedStore extends Store {
  /** Whether a key's value was read with another key than the one that now writes. */
  isStale(key: string): boolean;
}

const encoder = new TextEncoder();

/** The store as everything above it sees it. */
export function sealStore(store: Store, rules: readonly EncryptionRule[]): SealedStore {
  const seals = new Seals(rules);
  const sealOps = (ops: readonly RequestOp[]): RequestOp[] => ops.map((op) => seals.request(op));
  return {
    get revision() {
      return store.revision;
    },
    isStale: (key) => seals.stale.has(key),
    async range(request: RangeRequest) {
      const answer = await store.range(request);
      return answer.kind === "range" ? seals.response(answer) as typeof answer : answer;
    },
    async put(request) {
      const answer = await store.put(seals.request(request) as typeof request);
      return answer.kind === "put" ? seals.response(answer) as typeof answer : answer;
    },
    async deleteRange(request) {
      const answer = await store.deleteRange(request);
      return answer.kind === "deleteRange" ? seals.response(answer) as typeof answer : answer;
    },
    async txn(request: TxnRequest) {
      const { success, failure } = request;
      const answer = await store.txn({
        ...request,
        success: sealOps(success),
        failure: sealOps(failure),
      });
      return answer.kind === "txn" ? seals.response(answer) as typeof answer : answer;
    },
    watch: (request, onNotice) =>
      store.watch(request, (notice) => {
        if (notice.kind !== "events") return onNotice(notice);
        onNotice({ ...notice, events: notice.events.map((event) => seals.event(event)) });
      }),
    compact: (revision) => store.compact(revision),
    leaseGrant: (request) => store.leaseGrant(request),
    leaseRevoke: (id) => store.leaseRevoke(id),
    leaseKeepAlive: (id) => store.leaseKeepAlive(id),
    status: () => store.status(),
    close: () => store.close(),
  };
}

class Seals {
  readonly #rules: readonly { readonly names: readonly string[]; readonly ways: Way[] }[];
  /** By group and resource; null = not sealed. */
  readonly #ways = new Map<string, readonly Way[] | null>();
  readonly stale = new Set<string>();

  constructor(rules: readonly EncryptionRule[]) {
    this.#rules = rules.map(({ resources, providers }) => ({
      names: resources,
      ways: providers.flatMap(waysOf),
    }));
  }

  request(op: RequestOp): RequestOp {
    switch (op.kind) {
      case "put": {
        const key = decodeKey(op.key);
        const way = this.#waysFor(key)?.[0];
        this.stale.delete(key);
        if (way === undefined || way.cipher === null) return op;
        const sealed = way.cipher.seal(op.value, op.key);
        const value = new Uint8Array(way.head.length + sealed.length);
        value.set(way.head);
        value.set(sealed, way.head.length);
        return { ...op, value };
      }
      case "txn": {
        const sealed = (ops: readonly RequestOp[]) => ops.map((one) => this.request(one));
        return { ...op, success: sealed(op.success), failure: sealed(op.failure) };
      }
      default:
        return op;
    }
  }

  response(op: ResponseOp): ResponseOp {
    switch (op.kind) {
      case "range":
        return { ...op, kvs: op.kvs.map((kv) => this.#opened(kv)) };
      case "put":
        return op.prevKv === undefined ? op : { ...op, prevKv: this.#opened(op.prevKv, false) };
      case "deleteRange":
        return { ...op, prevKvs: op.prevKvs.map((kv) => this.#opened(kv, false)) };
      case "txn":
        return { ...op, responses: op.responses.map((one) => this.response(one)) };
    }
  }

  event(event: StoreEvent): StoreEvent {
    if (event.type === "delete") this.stale.delete(decodeKey(event.kv.key));
    const kv = event.type === "put" ? this.#opened(event.kv) : event.kv;
    const { prevKv } = event;
    if (prevKv === undefined) return kv === event.kv ? event : { ...event, kv };
    return { ...event, kv, prevKv: this.#opened(prevKv, false) };
  }

  /** @param isCurrent false for a value that another one replaced */
  #opened(kv: KeyValue, isCurrent = true): KeyValue {
    const key = decodeKey(kv.key);
    const ways = this.#waysFor(key);
    if (ways === null || kv.value.length === 0) return kv;
    for (const [index, { head, cipher }] of ways.entries()) {
      if (cipher === null ? isSealed(kv.value) : !startsWith(kv.value, head)) continue;
      const value = cipher === null
        ? kv.value
        : cipher.open(kv.value.subarray(head.length), kv.key);
      if (value === null) continue;
      if (isCurrent && index > 0) this.stale.add(key);
      else if (isCurrent) this.stale.delete(key);
      return value === kv.value ? kv : { ...kv, value };
    }
    return kv;
  }

  #waysFor(key: string): readonly Way[] | null {
    const of = groupResourceOfKey(key);
    if (of === null) return null;
    const name = `${of.resource}.${of.group}`;
    let ways = this.#ways.get(name);
    if (ways === undefined) {
      const plain = of.group === "" ? of.resource : name;
      const wanted = [plain, `*.${of.group}`, "*.*"];
      ways = this.#rules.find(({ names }) => names.some((one) => wanted.includes(one)))?.ways ??
        null;
      this.#ways.set(name, ways);
    }
    return ways;
  }
}

function waysOf(provider: Provider): Way[] {
  if (provider.kind === "identity") return [{ head: new Uint8Array(0), cipher: null }];
  const make = provider.kind === "aesgcm" ? aesGcm : aesCbc;
  return provider.keys.map(({ name, secret }) => ({
    head: encoder.encode(`k8s:enc:${provider.kind}:v1:${name}:`),
    cipher: make(secret),
  }));
}

function startsWith(value: Uint8Array, head: Uint8Array): boolean {
  if (value.length < head.length) return false;
  for (let i = 0; i < head.length; i++) if (value[i] !== head[i]) return false;
  return true;
}
