/**
 * Writes Kubernetes protobuf by the field tables.
 * In: an object as JSON has it, checked before. Out: bytes with or without the `k8s\0` envelope.
 * Never: checks; a value of a wrong type is our own bug and throws.
 * Source: apimachinery runtime/serializer/protobuf.
 */
import { parseDuration, parseTime } from "../time.ts";
import { type Field, mustTypeInfo, type TypeInfo } from "./fields.ts";
import { MAGIC } from "./protobuf.ts";
import { ProtobufWriter } from "./protobuf_wire.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

/** What the envelope says of the message in it. */
export interface Identity {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * One object in its envelope.
 * @param typeName full name of the object's type; the object says apiVersion and kind.
 */
export function encodeObject(typeName: string, object: Json): Uint8Array {
  const { apiVersion = "", kind = "" } = object;
  return encodeEnvelope({ apiVersion, kind }, encodeMessage(typeName, object));
}

/** A message that is encoded already, in its envelope. */
export function encodeEnvelope(identity: Identity, message: Uint8Array): Uint8Array {
  const { head, tail } = envelopeAround(identity, message.length);
  const envelope = new ProtobufWriter();
  for (const part of [head, message, tail]) envelope.raw(part);
  return envelope.finish();
}

/** What stands before and after a message of so many bytes. */
export function envelopeAround(
  { apiVersion, kind }: Identity,
  messageBytes: number,
): { readonly head: Uint8Array; readonly tail: Uint8Array } {
  const meta = new ProtobufWriter();
  meta.stringField(1, apiVersion);
  meta.stringField(2, kind);
  const head = new ProtobufWriter();
  head.raw(MAGIC);
  head.bytesField(1, meta.finish());
  head.fieldHead(2, messageBytes);
  const tail = new ProtobufWriter();
  tail.bytesField(3, new Uint8Array(0));
  tail.bytesField(4, new Uint8Array(0));
  return { head: head.finish(), tail: tail.finish() };
}

/** One message without an envelope. */
export function encodeMessage(typeName: string, object: Json): Uint8Array {
  return writeMessage(mustTypeInfo(typeName), object);
}

function writeMessage(type: TypeInfo, object: Json): Uint8Array {
  const writer = new ProtobufWriter();
  if (type.wrapped) {
    for (const item of object) writer.stringField(1, item);
    return writer.finish();
  }
  for (const field of type.fields) {
    if (field.inline) {
      const inner = writeMessage(mustTypeInfo(field.ref), object);
      if (inner.length > 0 || !field.pointer) writer.bytesField(field.number, inner);
      continue;
    }
    const value = object[field.name];
    if (value === undefined || value === null || field.number === 0) continue;
    if (field.container === "list") {
      for (const item of value) writeValue(writer, field, field.number, item);
    } else if (field.container === "map") {
      for (const key of Object.keys(value).sort()) {
        const entry = new ProtobufWriter();
        entry.stringField(1, key);
        writeValue(entry, field, 2, value[key]);
        writer.bytesField(field.number, entry.finish());
      }
    } else writeValue(writer, field, field.number, value);
  }
  return writer.finish();
}

function writeValue(writer: ProtobufWriter, field: Field, number: number, value: Json): void {
  switch (field.kind) {
    case "string":
      return writer.stringField(number, value);
    case "bool":
      return writer.integerField(number, value ? 1 : 0);
    case "int32":
    case "int64":
      return writer.integerField(number, value);
    case "double":
      return writer.doubleField(number, value);
    case "bytes":
      return writer.bytesField(number, decodeBase64(value));
    case "message":
      return writer.bytesField(number, writeMessage(mustTypeInfo(field.ref), value));
    default:
      return writer.bytesField(number, writeSpecial(field, value));
  }
}

function writeSpecial(field: Field, value: Json): Uint8Array {
  const writer = new ProtobufWriter();
  // A zero time within a map or list is null in JSON and an empty message here.
  if (value === null) return writer.finish();
  switch (field.kind) {
    case "Quantity":
      writer.stringField(1, String(value));
      break;
    case "IntOrString":
      writer.integerField(1, typeof value === "number" ? 0 : 1);
      writer.integerField(2, typeof value === "number" ? value : 0);
      writer.stringField(3, typeof value === "number" ? "" : value);
      break;
    case "Time":
    case "MicroTime": {
      const instant = parseTime(value);
      if (instant === null) throw new Error(`assertion: unchecked time in ${field.name}`);
      writer.integerField(1, instant.seconds);
      writer.integerField(2, field.kind === "Time" ? 0 : instant.nanos);
      break;
    }
    case "Duration":
      writer.integerField(1, parseDuration(value) ?? 0);
      break;
    default:
      writer.stringField(1, JSON.stringify(value));
  }
  return writer.finish();
}

/** Standard base64 to bytes. */
export function decodeBase64(source: string): Uint8Array {
  const binary = atob(source);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
