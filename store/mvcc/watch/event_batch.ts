/**
 * The events of one or several whole revisions, made once and shared by every watcher of a range.
 * In: versions, while they are stored. Out: StoreEvent objects, or etcd bytes, each on demand.
 * Never: reads the map later; it keeps views of the records, which stay true for ever.
 * Source: etcd v3.6 kv.proto Event { type 1, kv 2, prev_kv 3 }; WatchResponse.events is field 11.
 */
import { ProtoWriter } from "../proto.ts";
import type { Kv } from "../storage/kv.ts";
import { RecordFields } from "../storage/record.ts";
import type { StoreEvent } from "../types.ts";

const EVENTS_FIELD = 11;
/** Most batches hold one put and nothing else; they share what they leave empty. */
const NOTHING: never[] = [];

export interface EventOptions {
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
}

export class EventBatch {
  readonly kind = "events";
  /** The watcher has now seen everything up to here. */
  readonly revision: number;
  readonly #records: Uint8Array[] = [];
  /** As long as `#records` when previous values were asked for, else empty. */
  #previous: (Uint8Array | undefined)[] = NOTHING;
  /** As long as `#records` when one of them is a deletion, else empty. */
  #deleted: boolean[] = NOTHING;
  #events: readonly StoreEvent[] | undefined;
  #encoded: Uint8Array | undefined;
  #ends: readonly number[] = [];

  /** @param revision last revision the batch covers. */
  constructor(kv: Kv, versions: readonly number[], options: EventOptions, revision: number) {
    this.revision = revision;
    for (const version of versions) {
      const deleted = kv.versions.isTombstone(version);
      if (deleted ? options.noDelete : options.noPut) continue;
      if (deleted || this.#deleted !== NOTHING) this.#noteDeleted(deleted);
      this.#records.push(kv.history.arena.viewAt(kv.versions.addressOf(version)));
      if (!options.prevKv) continue;
      const previous = kv.versions.previousOf(version);
      const shown = previous !== 0 && !kv.versions.isTombstone(previous) &&
        kv.versions.revisionOf(version) - 1 >= kv.compactRevision;
      if (this.#previous === NOTHING) this.#previous = [];
      this.#previous.push(
        shown ? kv.history.arena.viewAt(kv.versions.addressOf(previous)) : undefined,
      );
    }
  }

  #noteDeleted(deleted: boolean): void {
    if (this.#deleted === NOTHING) this.#deleted = this.#records.map(() => false);
    this.#deleted.push(deleted);
  }

  /** Events in the batch; 0 when all were filtered out. */
  get size(): number {
    return this.#records.length;
  }

  /** The events as objects, made on first use and shared; not to be changed. */
  get events(): readonly StoreEvent[] {
    return this.#events ??= this.#records.map((record, i) => {
      const kv = keyValueOf(record);
      const previous = this.#previous[i];
      const type = this.#deleted[i] ? "delete" as const : "put" as const;
      return previous === undefined ? { type, kv } : { type, kv, prevKv: keyValueOf(previous) };
    });
  }

  /** The events as repeated field 11 of an etcd WatchResponse, made on first use and shared. */
  get encoded(): Uint8Array {
    return this.#encoded ??= this.#encode();
  }

  /** Where each event ends in `encoded`, for splitting a large batch. */
  get encodedEnds(): readonly number[] {
    this.#encoded ??= this.#encode();
    return this.#ends;
  }

  #encode(): Uint8Array {
    let room = 0;
    for (const record of this.#records) room += record.length + 24;
    for (const record of this.#previous) room += (record?.length ?? 0) + 12;
    const writer = new ProtoWriter(room);
    const ends: number[] = [];
    for (let i = 0; i < this.#records.length; i++) {
      const start = writer.beginMessage(EVENTS_FIELD);
      if (this.#deleted[i]) writer.int64Field(1, 1);
      writer.bytesFieldAlways(2, this.#records[i]);
      writer.bytesField(3, this.#previous[i]);
      writer.endMessage(start);
      ends.push(writer.length);
    }
    this.#ends = ends;
    return writer.view();
  }
}

const fields = new RecordFields();

function keyValueOf(record: Uint8Array): StoreEvent["kv"] {
  return fields.read(record, 0, record.length).toKeyValue();
}
