/**
 * A range read in slices at one revision, so that a long list never holds up its thread.
 * In: a request, then budgets. Out: encoded KeyValues, and count and more at the end.
 * Never: sees a later write; keeps history pinned after `close`.
 */
import type { RangeCursor } from "../api.ts";
import type { ProtoWriter } from "../proto.ts";
import type { RangeRequest, StoreFailure } from "../types.ts";
import { OrderCursor } from "./key_order.ts";
import type { Kv } from "./kv.ts";
import { checkRevision, countRange, hasFilters, isKeyOrder, selectRange } from "./range.ts";
import { RecordFields } from "./record.ts";

/** @returns a cursor. Errors: compacted, futureRevision. */
export function openRangeCursor(kv: Kv, request: RangeRequest): RangeCursor | StoreFailure {
  const failure = checkRevision(kv, request.revision ?? 0);
  if (failure !== undefined) return failure;
  const single = request.rangeEnd === undefined || request.rangeEnd.length === 0;
  const current = (request.revision ?? 0) <= 0 || request.revision === kv.revision;
  const walks = isKeyOrder(request) && !hasFilters(request) && !single &&
    !(request.countOnly && current);
  if (walks) return new WalkingCursor(kv, request, request.rangeEnd!, current);
  const selected = selectRange(kv, request);
  if (selected.kind !== "selection") return selected;
  return new SelectedCursor(kv, request, selected.versions, selected.count, selected.more);
}

abstract class PinnedCursor {
  readonly revision: number;
  protected readonly kv: Kv;
  readonly #fields = new RecordFields();
  #open = true;

  constructor(kv: Kv) {
    this.kv = kv;
    this.revision = kv.revision;
    kv.pins++;
  }

  protected write(writer: ProtoWriter, version: number, keysOnly: boolean): void {
    const { history } = this.kv;
    if (keysOnly) history.read(version, this.#fields).encodeKeyInto(writer, 2);
    else history.encodeInto(writer, 2, version);
  }

  close(): void {
    if (this.#open) this.kv.pins--;
    this.#open = false;
  }
}

/** Serves a selection made at once: single keys, sorted and filtered ranges. */
class SelectedCursor extends PinnedCursor implements RangeCursor {
  readonly #versions: readonly number[];
  readonly #keysOnly: boolean;
  readonly count: number;
  readonly more: boolean;
  #at = 0;

  constructor(
    kv: Kv,
    request: RangeRequest,
    versions: readonly number[],
    count: number,
    more: boolean,
  ) {
    super(kv);
    this.#versions = versions;
    this.#keysOnly = request.keysOnly === true;
    this.count = count;
    this.more = more;
  }

  get done(): boolean {
    return this.#at >= this.#versions.length;
  }

  encodeInto(writer: ProtoWriter, budgetKeys: number): number {
    const first = this.#at;
    const end = Math.min(this.#versions.length, first + budgetKeys);
    for (; this.#at < end; this.#at++) {
      this.write(writer, this.#versions[this.#at], this.#keysOnly);
    }
    return end - first;
  }
}

/** Walks the keys in order, finding its place again by key in every slice. */
class WalkingCursor extends PinnedCursor implements RangeCursor {
  readonly #request: RangeRequest;
  readonly #rangeEnd: Uint8Array;
  readonly #at: number;
  readonly #limit: number;
  /** Known from the start when reading the present; else counted on the way. */
  readonly #total: number | undefined;
  /** The last key looked at; the walk goes on after it. */
  #after: Uint8Array | undefined;
  #emitted = 0;
  #counted = 0;
  more = false;
  done = false;

  constructor(kv: Kv, request: RangeRequest, rangeEnd: Uint8Array, current: boolean) {
    super(kv);
    this.#request = request;
    this.#rangeEnd = rangeEnd;
    this.#at = current ? kv.revision : request.revision!;
    this.#limit = request.countOnly ? 0 : (request.limit ?? 0) > 0 ? request.limit! : Infinity;
    this.#total = current ? countRange(kv, request.key, rangeEnd, kv.revision) : undefined;
  }

  get count(): number {
    return this.#total ?? this.#counted;
  }

  encodeInto(writer: ProtoWriter, budgetKeys: number): number {
    const { kv } = this;
    const from = new OrderCursor();
    const to = new OrderCursor();
    kv.bounds(this.#after ?? this.#request.key, this.#rangeEnd, from, to);
    const before = this.#emitted;
    let last = -1;
    for (let left = budgetKeys; left > 0 && !this.done; left--) {
      const id = kv.order.next(from, to);
      if (id < 0) this.done = true;
      else {
        const seen = last < 0 && this.#after !== undefined &&
          kv.keys.compare(id, this.#after, 0, this.#after.length) === 0;
        last = id;
        if (!seen) this.#visit(writer, id);
      }
    }
    if (last >= 0) this.#after = kv.keys.bytesOf(last);
    return this.#emitted - before;
  }

  #visit(writer: ProtoWriter, id: number): void {
    const version = this.kv.visible(id, this.#at);
    if (version === 0) return;
    this.#counted++;
    if (this.#emitted < this.#limit) {
      this.#emitted++;
      this.write(writer, version, this.#request.keysOnly === true);
    } else {
      this.more = this.#request.countOnly !== true;
      this.done = this.#total !== undefined;
    }
  }
}
