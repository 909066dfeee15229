/**
 * A running watch as bytes: one JSON line, CBOR item or length-prefixed message per event, one
 * chunk per batch. In: a Watcher and the representation that the client wants. Out: a ByteStream.
 * Never: encodes an object whose frame the cache holds, or buffers beyond the watcher's own queue.
 */
import type { KubeObject, WatchEvent } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { ApiError } from "../../../api/status.ts";
import { encodeCbor } from "../../../api/schema/cbor.ts";
import { encodeUtf8 } from "../../../api/text/utf8.ts";
import { ObjectEvent } from "../../cache/stored_object.ts";
import type { Watcher } from "../../cache/watcher.ts";
import { joinBytes } from "../../../api/text/join_bytes.ts";
import { apiVersionOf } from "../../verbs/core.ts";
import { TimeSlice } from "../../time_slice.ts";
import type { ByteStream } from "../message.ts";
import type { Representation } from "./negotiate.ts";
import { eventFrame, protobufOf, storedProtobuf } from "./protobuf.ts";
import { type IncludeObject, partialOf, tableOf } from "./table.ts";

export interface WatchStreamParts {
  readonly watcher: Watcher;
  readonly resource: Resource;
  readonly representation: Representation;
  readonly include: IncludeObject;
  readonly nowMillis: () => number;
  /** Brings objects to the version asked for, where that takes a webhook. */
  readonly convert?: (objects: readonly KubeObject[]) => Promise<void>;
}

/** The stream of a watch's answer. */
export function watchStream(parts: WatchStreamParts): ByteStream {
  const { watcher } = parts;
  return {
    close: () => watcher.close(),
    [Symbol.asyncIterator]: () => encodeBatches(parts),
  };
}

/** Most bytes of frames that travel together; a batch of more takes several turns. */
const LARGEST_PIECE = 256 * 1024;

async function* encodeBatches(parts: WatchStreamParts): AsyncIterator<Uint8Array> {
  let isFirst = true;
  for await (const batch of parts.watcher) {
    let frames: Uint8Array[] = [];
    let size = 0;
    const slice = new TimeSlice();
    const failure = await convertBatch(parts, batch);
    if (failure !== null) {
      yield frameOf(parts, failure, false);
      return;
    }
    for (const event of batch) {
      const frame = frameOf(parts, event, isFirst);
      if (event.type !== "BOOKMARK") isFirst = false;
      frames.push(frame);
      size += frame.length;
      if (size < LARGEST_PIECE) continue;
      yield joinBytes(frames, size);
      frames = [];
      size = 0;
      if (slice.isOver) await slice.next();
    }
    if (size > 0) yield joinBytes(frames, size);
  }
}

/** @returns the event that ends a watch whose objects can't be converted */
async function convertBatch(
  { convert, watcher }: WatchStreamParts,
  batch: readonly WatchEvent[],
): Promise<WatchEvent | null> {
  if (convert === undefined) return null;
  try {
    const events = batch.filter((event) => event instanceof ObjectEvent);
    await convert(events.map(({ object }) => object));
    return null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    watcher.close();
    return { type: "ERROR", object: error.status as unknown as KubeObject };
  }
}

function frameOf(parts: WatchStreamParts, event: WatchEvent, isFirst: boolean): Uint8Array {
  const { resource } = parts;
  const { format, shape } = parts.representation;
  if (event instanceof ObjectEvent && shape === "object") {
    if (format === "protobuf") {
      return eventFrame(event.type, storedProtobuf(resource, event.stored));
    }
    if (format === "json" && resource.storedAs === undefined) return event.frame;
  }
  const served = event instanceof ObjectEvent && resource.storedAs !== undefined
    ? resource.storedAs.fromStored(event.object)
    : event.object;
  const object = event.type === "ERROR" ? served : shapeEvent(parts, event, served, isFirst);
  switch (format) {
    case "cbor":
      return encodeCbor({ type: event.type, object });
    case "protobuf":
      return eventFrame(event.type, protobufOf(object as KubeObject));
    default:
      return encodeUtf8(JSON.stringify({ type: event.type, object }) + "\n");
  }
}

function shapeEvent(
  parts: WatchStreamParts,
  event: WatchEvent,
  object: KubeObject,
  withColumns: boolean,
): unknown {
  const { resource } = parts;
  const { shape } = parts.representation;
  if (shape === "partial" || shape === "partialList") return partialOf(object);
  if (shape === "object") {
    const isServed = object.kind === resource.kind &&
      (resource.custom === undefined || object.apiVersion === apiVersionOf(resource));
    if (isServed) return object;
    return { ...object, kind: resource.kind, apiVersion: apiVersionOf(resource) };
  }
  const { resourceVersion } = object.metadata;
  return tableOf({
    resource,
    // A bookmark's row would print; its revision travels in the table's metadata.
    objects: event.type === "BOOKMARK" ? [] : [object],
    metadata: { resourceVersion },
    include: parts.include,
    nowMillis: parts.nowMillis(),
    withColumns,
  });
}
