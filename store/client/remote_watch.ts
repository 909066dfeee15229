/**
 * A watch over the wire that survives its connection.
 * In: a watch request. Out: notices in revision order, each event once; after a lost stream it
 * goes on at the revision after the last one heard.
 * Never: gives up while the store is open, except when the server says the history is gone.
 */
import { ProtoWriter } from "../mvcc/proto.ts";
import type { WatchHandle } from "../mod.ts";
import type { StoreEvent, WatchNotice, WatchRequest } from "../mvcc/types.ts";
import type { Timer } from "../ports.ts";
import { decodeWatchResponse, type WatchAnswer } from "../wire/etcd/decode.ts";
import type { ClientCall } from "../wire/grpc/client.ts";
import type { Endpoints } from "./endpoints.ts";

const WATCH = "/etcdserverpb.Watch/Watch";
const RETRY_MILLIS = 100;

export class RemoteWatch implements WatchHandle {
  readonly #endpoints: Endpoints;
  readonly #timer: Timer;
  readonly #request: WatchRequest;
  readonly #onNotice: (notice: WatchNotice) => void;
  readonly #onRevision: (revision: number) => void;
  #call: ClientCall | null = null;
  /** First revision not heard yet; 0 until the server said where the watch begins. */
  #nextRevision: number;
  #parts: StoreEvent[] = [];
  #created = false;
  #progressWanted = false;
  #over = false;

  constructor(
    endpoints: Endpoints,
    options: {
      readonly timer: Timer;
      readonly request: WatchRequest;
      readonly onNotice: (notice: WatchNotice) => void;
      /** Told of each revision a header shows. */
      readonly onRevision: (revision: number) => void;
    },
  ) {
    this.#endpoints = endpoints;
    this.#timer = options.timer;
    this.#request = options.request;
    this.#onNotice = options.onNotice;
    this.#onRevision = options.onRevision;
    this.#nextRevision = options.request.startRevision ?? 0;
    void this.#open();
  }

  requestProgress(): void {
    this.#progressWanted = true;
    if (this.#created) this.#call?.send(PROGRESS_REQUEST);
  }

  cancel(): void {
    this.#over = true;
    this.#call?.cancel();
  }

  async #open(): Promise<void> {
    this.#created = false;
    this.#parts = [];
    let ended = false;
    const call = await this.#endpoints.stream(WATCH, {
      onMessage: (message) => this.#onAnswer(message.slice()),
      onEnd: () => {
        ended = true;
        this.#call = null;
        this.#reopenLater();
      },
    });
    if (this.#over) return call?.cancel();
    if (call === null) return this.#reopenLater();
    if (ended) return;
    this.#call = call;
    call.send(this.#createRequest());
  }

  #reopenLater(): void {
    if (this.#over) return;
    if (this.#endpoints.closed) return this.#finish({ kind: "cancelled", reason: "store closed" });
    this.#timer.after(RETRY_MILLIS, () => {
      if (!this.#over) void this.#open();
    });
  }

  #finish(notice: WatchNotice): void {
    if (this.#over) return;
    this.#over = true;
    this.#call?.cancel();
    this.#onNotice(notice);
  }

  #createRequest(): Uint8Array {
    const { key, rangeEnd, progressNotify, noPut, noDelete, prevKv } = this.#request;
    const writer = new ProtoWriter(128);
    const start = writer.beginMessage(1);
    writer.bytesField(1, key);
    writer.bytesField(2, rangeEnd);
    writer.int64Field(3, this.#nextRevision);
    writer.boolField(4, progressNotify);
    const filters = [...(noPut ? [0] : []), ...(noDelete ? [1] : [])];
    if (filters.length > 0) writer.bytesField(5, Uint8Array.from(filters));
    writer.boolField(6, prevKv);
    writer.endMessage(start);
    return writer.finish();
  }

  #onAnswer(bytes: Uint8Array): void {
    const answer = decodeWatchResponse(bytes);
    if (answer === null || this.#over) return;
    this.#onRevision(answer.revision);
    if (answer.canceled) return this.#onCanceled(answer);
    if (answer.created) {
      this.#created = true;
      if (this.#nextRevision === 0) this.#nextRevision = answer.revision + 1;
      if (this.#progressWanted) this.#call?.send(PROGRESS_REQUEST);
      return;
    }
    if (answer.events.length === 0 && !answer.fragment) return this.#onProgress(answer.revision);
    this.#parts.push(...answer.events);
    if (answer.fragment) return;
    const events = this.#parts;
    this.#parts = [];
    if (events.length === 0) return;
    const revision = events[events.length - 1].kv.modRevision;
    this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
    this.#onNotice({ kind: "events", revision, events });
  }

  /** Everything up to the revision was heard, so a resumed watch need not look at it again. */
  #onProgress(revision: number): void {
    this.#progressWanted = false;
    this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
    this.#onNotice({ kind: "progress", revision });
  }

  #onCanceled(answer: WatchAnswer): void {
    const { compactRevision, revision } = answer;
    if (compactRevision > 0) return this.#finish({ kind: "compacted", compactRevision, revision });
    const reason = answer.reason === "" ? "cancelled by the server" : answer.reason;
    this.#finish({ kind: "cancelled", reason });
  }
}

const PROGRESS_REQUEST = Uint8Array.of(0x1a, 0);
