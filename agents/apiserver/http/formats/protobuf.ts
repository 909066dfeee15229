/**
 * Answers and watch frames in Kubernetes protobuf.
 * In: objects, lists of stored objects, watch events. Out: bytes in the `k8s\0` envelope; frames
 * of a stream with their length in four bytes before them.
 * Never: encodes a stored object a second time; lists and frames copy its message.
 * Source: apimachinery runtime/serializer/protobuf, meta/v1 generated.proto.
 */
import type { KubeObject, ListMeta } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { typeInfo, typeOfKind } from "../../../api/schema/fields.ts";
import {
  encodeEnvelope,
  encodeMessage,
  encodeObject,
  envelopeAround,
  type Identity,
} from "../../../api/schema/protobuf_encode.ts";
import { ProtobufWriter } from "../../../api/schema/protobuf_wire.ts";
import { StoredObject } from "../../cache/stored_object.ts";
import { joinBytes } from "../../../api/text/join_bytes.ts";
import { TimeSlice } from "../../time_slice.ts";
import { apiVersionOf, serve } from "../../verbs/core.ts";
import { partialOf } from "./table.ts";

const META_TYPES = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const LENGTH_BYTES = 4;
const PARTIAL: Identity = { apiVersion: "meta.k8s.io/v1", kind: "PartialObjectMetadata" };

/** Messages of stored objects by the object: made once, shared by every list and watch. */
const messages = new WeakMap<StoredObject, Uint8Array>();

/** One object of any kind that has a message. */
export function protobufOf(object: Partial<Identity>): Uint8Array {
  const type = typeOfKind(object.apiVersion ?? "", object.kind ?? "");
  if (type === undefined) throw new Error(`assertion: no message for ${object.kind}`);
  return encodeObject(type.fullName, object);
}

/** One stored object, as its resource serves it. */
export function storedProtobuf(resource: Resource, stored: StoredObject): Uint8Array {
  return encodeEnvelope(identityOf(resource), messageOf(resource, stored));
}

interface ProtobufList {
  /** As they are stored, or as they are served. */
  readonly items: readonly (StoredObject | KubeObject)[];
  readonly metadata: ListMeta;
  /** Only the metadata of each is asked for. */
  readonly isPartial: boolean;
}

/** A list, in pieces; its messages are made in turns. */
export async function listProtobuf(
  resource: Resource,
  { items, metadata, isPartial }: ProtobufList,
): Promise<Iterable<Uint8Array>> {
  const start = new ProtobufWriter();
  start.bytesField(1, encodeMessage(META_TYPES + "ListMeta", metadata));
  const before = start.finish();
  const pieces: Uint8Array[] = [before];
  let size = before.length;
  const slice = new TimeSlice();
  for (const item of items) {
    const message = isPartial ? partialMessageOf(resource, item) : messageOf(resource, item);
    const head = new ProtobufWriter();
    head.fieldHead(2, message.length);
    pieces.push(head.finish(), message);
    size += pieces[pieces.length - 2].length + message.length;
    if (slice.isOver) await slice.next();
  }
  const { apiVersion, kind } = isPartial ? PARTIAL : identityOf(resource);
  const envelope = envelopeAround({ apiVersion, kind: `${kind}List` }, size);
  pieces[0] = joinBytes([envelope.head, before]);
  pieces.push(envelope.tail);
  return pieces;
}

/**
 * One event of a watch.
 * @param object the bytes of its object in its envelope
 */
export function eventFrame(type: string, object: Uint8Array): Uint8Array {
  const raw = new ProtobufWriter();
  raw.bytesField(1, object);
  const event = new ProtobufWriter();
  event.stringField(1, type);
  event.bytesField(2, raw.finish());
  const message = event.finish();
  const frame = new Uint8Array(LENGTH_BYTES + message.length);
  new DataView(frame.buffer).setUint32(0, message.length);
  frame.set(message, LENGTH_BYTES);
  return frame;
}

function messageOf(resource: Resource, item: StoredObject | KubeObject): Uint8Array {
  if (!(item instanceof StoredObject)) return encodeMessage(resource.typeName, item);
  if (resource.storedAs !== undefined) {
    return encodeMessage(resource.typeName, serve(resource, item));
  }
  const known = messages.get(item);
  if (known !== undefined) return known;
  const message = encodeMessage(resource.typeName, item.object);
  messages.set(item, message);
  return message;
}

function partialMessageOf(resource: Resource, item: StoredObject | KubeObject): Uint8Array {
  const object = item instanceof StoredObject ? serve(resource, item) : item;
  return encodeMessage(META_TYPES + PARTIAL.kind, partialOf(object));
}

function identityOf(resource: Resource): Identity {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind };
}

/** Whether objects of a resource have a message at all: custom resources have none. */
export function hasProtobuf(resource: Resource): boolean {
  return typeInfo(resource.typeName) !== undefined;
}
