/**
 * The Watch service: one stream carries many watches of a client.
 * In: create, cancel and progress requests. Out: WatchResponses; events are encoded once for all
 * watchers of the member. When the client is slow, notices are refused and read again from
 * history, so a stalled client costs one small queue.
 * Never: reorders events of one watch; sends an event before its watch's `created`.
 * Source: etcdserverpb.Watch.
 */
import { ProtoReader, ProtoWriter } from "../../mvcc/proto.ts";
import type { Watcher } from "../../mvcc/api.ts";
import type { StoreFailure, WatchNotice, WatchRequest } from "../../mvcc/types.ts";
import { EventBatch } from "../../mvcc/watch/event_batch.ts";
import { beginFramed, finishFramed } from "../grpc/framing.ts";
import type { Method, ServerCall } from "../grpc/server.ts";
import type { ServiceContext } from "./context.ts";
import { encodeEvent } from "./encode.ts";
import { statusOf } from "./errors.ts";

/** Stands for the whole stream in progress answers, and for a watch that was not created. */
const NO_WATCH_ID = -1;
const ZERO_KEY = Uint8Array.of(0);

export function watchMethods(context: ServiceContext): [string, Method][] {
  const frames = new EventFrames(context);
  return [["/etcdserverpb.Watch/Watch", {
    kind: "stream",
    open: (call) => new WatchStream(context, call, frames).open(),
  }]];
}

/**
 * Answers with events, framed once for all watches that hear them under one id, which is most of
 * them: a stream's first watch is number 0.
 */
class EventFrames {
  readonly #context: ServiceContext;
  readonly #writer = new ProtoWriter(4096);
  #notice: EventsNotice | null = null;
  #watchId = 0;
  #framed: Uint8Array = new Uint8Array(0);

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  /** @returns the answer with its prefix; not to be changed */
  of(watchId: number, notice: EventsNotice): Uint8Array {
    if (notice !== this.#notice || watchId !== this.#watchId) {
      const writer = beginFramed(this.#writer);
      this.#context.writeHeader(writer, notice.revision);
      writer.int64Field(2, watchId);
      if (notice instanceof EventBatch) writer.raw(notice.encoded);
      else for (const event of notice.events) writer.raw(encodeEvent(event));
      this.#framed = finishFramed(writer);
      this.#notice = notice;
      this.#watchId = watchId;
    }
    return this.#framed;
  }

  /** @returns bytes that the events of a notice take */
  bytesOf(notice: EventsNotice): number {
    if (notice instanceof EventBatch) return notice.encoded.length;
    return notice.events.reduce((sum, event) => sum + encodeEvent(event).length, 0);
  }
}

interface CreateRequest extends WatchRequest {
  readonly watchId: number;
  readonly fragment: boolean;
}

type EventsNotice = Extract<WatchNotice, { readonly kind: "events" }>;
type EndNotice = Extract<WatchNotice, { readonly kind: "compacted" | "cancelled" }>;

interface ActiveWatch {
  readonly id: number;
  readonly fragment: boolean;
  handle: Watcher | null;
  announced: boolean;
  /** A notice was refused; to be resumed when the client has caught up. */
  refused: boolean;
  /** Whether the next progress notice answers the client's progress request. */
  awaited: boolean;
  /** How the watch ended before its `created` was sent. */
  endedEarly: EndNotice | null;
}

class WatchStream {
  readonly #context: ServiceContext;
  readonly #call: ServerCall;
  readonly #frames: EventFrames;
  readonly #watches = new Map<number, ActiveWatch>();
  readonly #writer = new ProtoWriter(1024);
  #nextId = 0;
  /** Lowest revision of the progress notices gathered for the client's request; 0 when none. */
  #progressRevision = 0;
  #clogged = false;

  constructor(context: ServiceContext, call: ServerCall, frames: EventFrames) {
    this.#context = context;
    this.#call = call;
    this.#frames = frames;
  }

  open(): void {
    if (this.#context.lacksLeader(this.#call)) return;
    this.#call.onMessage = (message) => this.#onRequest(message);
    this.#call.onDrain = () => this.#onDrain();
    this.#call.onCancel = () => this.#cancelAll();
    this.#call.onEnd = () => {
      this.#cancelAll();
      this.#call.end();
    };
  }

  #onRequest(message: Uint8Array): void {
    const reader = new ProtoReader(message);
    while (reader.next()) {
      if (reader.field === 1) {
        const request = readCreate(reader.message());
        if (request === null) return this.#fail();
        this.#create(request);
      } else if (reader.field === 2) {
        const id = readCancel(reader.message());
        if (id === null) return this.#fail();
        this.#cancel(id);
      } else if (reader.field === 3) {
        reader.skip();
        this.#requestProgress();
      } else reader.skip();
    }
    if (reader.failed) this.#fail();
  }

  #fail(): void {
    this.#cancelAll();
    this.#context.malformed(this.#call);
  }

  // -- requests ----------------------------------------------------------------

  #create(request: CreateRequest): void {
    const { member } = this.#context;
    if ((request.startRevision ?? 0) < 0) {
      return this.#refuse("etcdserver: mvcc: required revision has been compacted");
    }
    const found = this.#context.callerOf(this.#call);
    if (found.kind !== "caller") return this.#refuse(statusOf(found).message);
    const id = this.#claimId(request.watchId);
    if (id === null) return this.#refuse("mvcc: duplicate watch ID provided on the WatchStream");
    const watch: ActiveWatch = {
      id,
      fragment: request.fragment,
      handle: null,
      announced: false,
      refused: false,
      awaited: false,
      endedEarly: null,
    };
    const handle = member.watch(request, found.caller, (notice) => this.#onNotice(watch, notice));
    if ("kind" in handle) return this.#refuse(refusalOf(handle));
    watch.handle = handle;
    watch.announced = true;
    this.#watches.set(id, watch);
    this.#send(member.revision, (writer) => {
      writer.int64Field(2, id);
      writer.boolField(3, true);
    });
    if (watch.endedEarly !== null) this.#onEnded(watch, watch.endedEarly);
    else if (watch.refused) this.#resume(watch);
  }

  /** @returns the id to use, or null when the client's own is taken */
  #claimId(wanted: number): number | null {
    if (wanted !== 0) return this.#watches.has(wanted) ? null : wanted;
    while (this.#watches.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #refuse(reason: string): void {
    this.#send(this.#context.member.revision, (writer) => {
      writer.int64Field(2, NO_WATCH_ID);
      writer.boolField(3, true);
      writer.boolField(4, true);
      writer.stringField(6, reason);
    });
  }

  #cancel(id: number): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    this.#watches.delete(id);
    watch.handle?.cancel();
    this.#send(this.#context.member.revision, (writer) => {
      writer.int64Field(2, id);
      writer.boolField(4, true);
    });
    this.#answerProgress();
  }

  /** Answered once for the stream, when each of its watches has heard everything up to now. */
  #requestProgress(): void {
    if (this.#watches.size === 0) return this.#sendProgress(this.#context.member.revision);
    const asked = [...this.#watches.values()].filter((watch) => !watch.awaited);
    // All marked before the first is asked, as an answer may come before the question returns.
    for (const watch of asked) watch.awaited = true;
    for (const watch of asked) watch.handle?.requestProgress();
  }

  #answerProgress(): void {
    if (this.#progressRevision === 0) return;
    for (const watch of this.#watches.values()) if (watch.awaited) return;
    this.#sendProgress(this.#progressRevision);
    this.#progressRevision = 0;
  }

  #sendProgress(revision: number): void {
    this.#send(revision, (writer) => writer.int64Field(2, NO_WATCH_ID));
  }

  // -- notices -----------------------------------------------------------------

  /** @returns false to hear the notice again after `resume` */
  #onNotice(watch: ActiveWatch, notice: WatchNotice): boolean {
    if (notice.kind === "events" && (this.#clogged || !watch.announced)) {
      watch.refused = true;
      return false;
    }
    switch (notice.kind) {
      case "events":
        this.#sendEvents(watch, notice);
        return true;
      case "progress":
        this.#onProgress(watch, notice.revision);
        return true;
      case "compacted":
      case "cancelled":
        this.#onEnded(watch, notice);
        return true;
    }
  }

  #onProgress(watch: ActiveWatch, revision: number): void {
    if (!watch.awaited) {
      return this.#send(revision, (writer) => writer.int64Field(2, watch.id));
    }
    watch.awaited = false;
    const lowest = this.#progressRevision;
    this.#progressRevision = lowest === 0 ? revision : Math.min(lowest, revision);
    this.#answerProgress();
  }

  #onEnded(
    watch: ActiveWatch,
    notice: EndNotice,
  ): void {
    if (!watch.announced) {
      // Ended from within `watch`: clients expect `created` first.
      watch.endedEarly = notice;
      return;
    }
    this.#watches.delete(watch.id);
    const compacted = notice.kind === "compacted";
    const revision = compacted ? notice.revision : this.#context.member.revision;
    this.#send(revision, (writer) => {
      writer.int64Field(2, watch.id);
      writer.boolField(4, true);
      if (compacted) writer.int64Field(5, notice.compactRevision);
      else writer.stringField(6, notice.reason);
    });
    this.#answerProgress();
  }

  #sendEvents(watch: ActiveWatch, notice: EventsNotice): void {
    if (this.#call.over) return;
    const limit = this.#context.options.maxRequestBytes;
    if (watch.fragment && this.#frames.bytesOf(notice) >= limit) {
      return this.#sendFragments(watch, notice, limit);
    }
    if (!this.#call.sendFramed(this.#frames.of(watch.id, notice))) this.#clogged = true;
  }

  #sendFragments(watch: ActiveWatch, notice: EventsNotice, limit: number): void {
    const encoded = notice.events.map(encodeEvent);
    for (let first = 0; first < encoded.length;) {
      let end = first;
      let bytes = 0;
      do bytes += encoded[end++].length; while (
        end < encoded.length && bytes + encoded[end].length < limit
      );
      this.#send(notice.revision, (writer) => {
        writer.int64Field(2, watch.id);
        writer.boolField(7, end < encoded.length);
        for (let i = first; i < end; i++) writer.raw(encoded[i]);
      });
      first = end;
    }
  }

  // -- sending -----------------------------------------------------------------

  #send(revision: number, body: (writer: ProtoWriter) => void): void {
    if (this.#call.over) return;
    const writer = this.#writer;
    writer.reset();
    this.#context.writeHeader(writer, revision);
    body(writer);
    if (!this.#call.send(writer.view())) this.#clogged = true;
  }

  #onDrain(): void {
    this.#clogged = false;
    for (const watch of [...this.#watches.values()]) {
      if (this.#clogged) return;
      if (watch.refused) this.#resume(watch);
    }
  }

  #resume(watch: ActiveWatch): void {
    watch.refused = false;
    watch.handle?.resume();
  }

  #cancelAll(): void {
    for (const watch of this.#watches.values()) watch.handle?.cancel();
    this.#watches.clear();
  }
}

/** What etcd says of a watch it does not permit. */
function refusalOf(failure: StoreFailure): string {
  const told = failure.kind !== "auth" || failure.reason === "invalidAuthToken" ||
    failure.reason === "authOldRevision" || failure.reason === "userEmpty";
  return statusOf(told ? failure : { kind: "auth", reason: "permissionDenied" }).message;
}

function readCancel(reader: ProtoReader): number | null {
  let id = 0;
  while (reader.next()) {
    if (reader.field === 1) id = reader.int64();
    else reader.skip();
  }
  return reader.failed ? null : id;
}

/** Keys are views of the message; whoever starts the watch copies them. */
function readCreate(reader: ProtoReader): CreateRequest | null {
  let key: Uint8Array = ZERO_KEY;
  let rangeEnd: Uint8Array | undefined;
  let startRevision = 0;
  let watchId = 0;
  const flags = { progressNotify: false, prevKv: false, fragment: false };
  const filters = { noPut: false, noDelete: false };
  const setFilter = (type: number) => {
    if (type === 0) filters.noPut = true;
    else if (type === 1) filters.noDelete = true;
  };
  while (reader.next()) {
    if (reader.field === 1) key = reader.bytes();
    else if (reader.field === 2) rangeEnd = reader.bytes();
    else if (reader.field === 3) startRevision = reader.int64();
    else if (reader.field === 4) flags.progressNotify = reader.bool();
    else if (reader.field === 5) readFilters(reader, setFilter);
    else if (reader.field === 6) flags.prevKv = reader.bool();
    else if (reader.field === 7) watchId = reader.int64();
    else if (reader.field === 8) flags.fragment = reader.bool();
    else reader.skip();
  }
  if (reader.failed) return null;
  if (key.length === 0) key = ZERO_KEY;
  return {
    key,
    ...(rangeEnd !== undefined && rangeEnd.length > 0 ? { rangeEnd } : {}),
    startRevision,
    watchId,
    ...flags,
    ...filters,
  };
}

/** A repeated enum: packed by most clients, single by some. */
function readFilters(reader: ProtoReader, setFilter: (type: number) => void): void {
  if (reader.wireType === 0) return setFilter(reader.enumValue());
  for (const type of reader.bytes()) setFilter(type);
}
