/**
 * Reads Kubernetes protobuf by the field tables: the `k8s\0` envelope and any tabled message.
 * In: bytes of a request. Out: the object as JSON has it, or why it can't be read.
 * Never: throws on bad bytes; fields without a table line are skipped, as protobuf wants it.
 * Source: apimachinery runtime/serializer/protobuf; the protobuf wire format.
 */
import { formatQuantity, parseQuantity } from "../quantity.ts";
import { formatDuration, formatInstant } from "../time.ts";
import { type Field, mustTypeInfo, type TypeInfo, typeOfKind } from "./fields.ts";
import { Malformed, ProtobufReader } from "./protobuf_wire.ts";

// deno-lint-ignore no-explicit-any
type Json = any;
type Draft = Record<string, Json>;

export type Decoded<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "malformed"; readonly message: string };

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The message's bytes, or text of `contentType`. */
  readonly raw: Uint8Array;
  readonly contentType: string;
}

/** The four bytes that every Kubernetes protobuf body starts with. */
export const MAGIC: Uint8Array = new Uint8Array([0x6b, 0x38, 0x73, 0x00]);
/** Deeper nesting than this is refused. */
const MAX_DEPTH = 200;

const text = new TextDecoder("utf-8", { fatal: true });

function guarded<T>(read: () => T): Decoded<T> {
  try {
    return { kind: "ok", value: read() };
  } catch (error) {
    if (error instanceof Malformed) return { kind: "malformed", message: error.message };
    throw error;
  }
}

/** Whether a body is in the envelope. */
export function hasMagic(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && MAGIC.every((byte, index) => bytes[index] === byte);
}

/** Opens the envelope without looking into the message. */
export function decodeEnvelope(bytes: Uint8Array): Decoded<Envelope> {
  if (!hasMagic(bytes)) {
    return {
      kind: "malformed",
      message:
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    };
  }
  return guarded(() => {
    const envelope = { apiVersion: "", kind: "", raw: new Uint8Array(0), contentType: "" };
    const reader = new ProtobufReader(bytes.subarray(4));
    while (!reader.done) {
      const { number, wire } = reader.tag();
      if (number === 1 && wire === 2) {
        const meta = new ProtobufReader(reader.bytes());
        while (!meta.done) {
          const tag = meta.tag();
          if (tag.number === 1 && tag.wire === 2) envelope.apiVersion = decodeText(meta.bytes());
          else if (tag.number === 2 && tag.wire === 2) envelope.kind = decodeText(meta.bytes());
          else meta.skip(tag.wire);
        }
      } else if (number === 2 && wire === 2) envelope.raw = new Uint8Array(reader.bytes());
      else if (number === 4 && wire === 2) envelope.contentType = decodeText(reader.bytes());
      else reader.skip(wire);
    }
    return envelope;
  });
}

/**
 * Reads a whole body: envelope and message.
 * @returns the object with apiVersion and kind. Errors: malformed, also for kinds without a table.
 */
export function decodeObject(bytes: Uint8Array): Decoded<Draft> {
  const envelope = decodeEnvelope(bytes);
  if (envelope.kind === "malformed") return envelope;
  const { apiVersion, kind, raw } = envelope.value;
  const type = typeOfKind(apiVersion, kind);
  if (type === undefined) {
    const message = `no kind ${JSON.stringify(kind)} is registered for version ${
      JSON.stringify(apiVersion)
    }`;
    return { kind: "malformed", message };
  }
  const body = decodeMessage(type.fullName, raw);
  if (body.kind === "malformed") return body;
  return { kind: "ok", value: { apiVersion, kind, ...body.value } };
}

/** Reads one message. @param typeName full name of a tabled type. */
export function decodeMessage(typeName: string, bytes: Uint8Array): Decoded<Draft> {
  return guarded(() => readMessage(mustTypeInfo(typeName), new ProtobufReader(bytes), {}, 0));
}

function readMessage(type: TypeInfo, reader: ProtobufReader, into: Draft, depth: number): Draft {
  if (depth > MAX_DEPTH) throw new Malformed("message is nested too deeply");
  while (!reader.done) {
    const { number, wire } = reader.tag();
    const field = type.byNumber.get(number);
    if (field === undefined) reader.skip(wire);
    else if (field.inline) {
      readMessage(mustTypeInfo(field.ref), new ProtobufReader(reader.bytes(wire)), into, depth + 1);
    } else if (field.container === "map") readMapEntry(field, reader.bytes(wire), into, depth);
    else if (field.container === "list") readListItems(field, { reader, wire, into, depth });
    else readSingle(field, { reader, wire, into, depth });
  }
  return into;
}

interface Place {
  readonly reader: ProtobufReader;
  readonly wire: number;
  readonly into: Draft;
  readonly depth: number;
}

function readSingle(field: Field, { reader, wire, into, depth }: Place): void {
  const value = readValue(field, { reader, wire, into, depth });
  if (value === undefined) return;
  // Go writes every plain scalar; JSON leaves the empty ones out.
  const empty = value === "" || value === 0 || value === false;
  if (empty && field.omitEmpty && !field.pointer) delete into[field.name];
  else into[field.name] = value;
}

function readListItems(field: Field, { reader, wire, into, depth }: Place): void {
  const list: Json[] = into[field.name] ??= [];
  const isVarint = field.kind === "int32" || field.kind === "int64" || field.kind === "bool";
  if (isVarint && wire === 2) {
    const packed = new ProtobufReader(reader.bytes());
    while (!packed.done) list.push(readValue(field, { reader: packed, wire: 0, into, depth }));
    return;
  }
  const item = readValue(field, { reader, wire, into, depth });
  list.push(item === undefined ? null : item);
}

function readMapEntry(field: Field, bytes: Uint8Array, into: Draft, depth: number): void {
  const map: Draft = into[field.name] ??= {};
  const reader = new ProtobufReader(bytes);
  let key = "";
  let value: Json = field.kind === "message" ? {} : field.kind === "Quantity" ? "0" : "";
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (number === 1) key = decodeText(reader.bytes(wire));
    else if (number === 2) value = readValue(field, { reader, wire, into, depth });
    else reader.skip(wire);
  }
  Object.defineProperty(map, key, {
    value: value === undefined ? null : value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

/** @returns undefined for a value that JSON leaves out, such as a zero time. */
function readValue(field: Field, place: Place): Json {
  const { reader, wire, depth } = place;
  switch (field.kind) {
    case "string":
      return decodeText(reader.bytes(wire));
    case "bool":
      return reader.varint(wire) !== 0n;
    case "int32":
      return Number(BigInt.asIntN(32, reader.varint(wire)));
    case "int64":
      return Number(BigInt.asIntN(64, reader.varint(wire)));
    case "double":
      return reader.double(wire);
    case "bytes":
      return encodeBase64(reader.bytes(wire));
    case "message": {
      const type = mustTypeInfo(field.ref);
      const draft = readMessage(type, new ProtobufReader(reader.bytes(wire)), {}, depth + 1);
      return type.wrapped ? draft.items ?? [] : draft;
    }
    default:
      return readSpecial(field, new ProtobufReader(reader.bytes(wire)));
  }
}

/** Types with a JSON form of their own: small messages of at most three scalars. */
function readSpecial(field: Field, reader: ProtobufReader): Json {
  let integers: bigint[] = [];
  let bytes: Uint8Array = new Uint8Array(0);
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (wire === 0) integers[number] = reader.varint(wire);
    else if (wire === 2) bytes = reader.bytes();
    else reader.skip(wire);
    if (number > 15) integers = integers.slice(0, 15);
  }
  const integer = (number: number) => Number(BigInt.asIntN(64, integers[number] ?? 0n));
  switch (field.kind) {
    case "Quantity":
      return readQuantity(decodeText(bytes));
    case "IntOrString":
      return integer(1) === 0 ? Number(BigInt.asIntN(32, integers[2] ?? 0n)) : decodeText(bytes);
    case "Time":
    case "MicroTime": {
      const instant = { seconds: integer(1), nanos: integer(2) };
      if (integers.length === 0) return undefined;
      if (Math.abs(instant.seconds) > 253_402_300_799) throw new Malformed("time is out of range");
      if (instant.nanos < 0 || instant.nanos > 999_999_999) throw new Malformed("bad nanoseconds");
      return formatInstant(instant, field.kind === "Time" ? 0 : 6);
    }
    case "Duration":
      return formatDuration(integer(1));
    default:
      return readEmbedded(bytes);
  }
}

function readQuantity(source: string): string {
  if (source === "") return "0";
  const parsed = parseQuantity(source);
  if (parsed.kind === "error") throw new Malformed(parsed.message);
  return formatQuantity(parsed.quantity);
}

/** A whole object within an object: JSON text, or an envelope again. */
function readEmbedded(bytes: Uint8Array): Json {
  if (bytes.length === 0) return null;
  if (hasMagic(bytes)) {
    const inner = decodeObject(bytes);
    if (inner.kind === "malformed") throw new Malformed(inner.message);
    return inner.value;
  }
  try {
    return JSON.parse(decodeText(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Malformed("embedded object is no JSON");
    throw error;
  }
}

/** Below this length, building ASCII by hand beats a decoder's call. */
const SHORT = 48;

function decodeText(bytes: Uint8Array): string {
  if (bytes.length <= SHORT) {
    let ascii = "";
    let at = 0;
    for (; at < bytes.length && bytes[at] < 0x80; at++) ascii += String.fromCharCode(bytes[at]);
    if (at === bytes.length) return ascii;
  }
  try {
    return text.decode(bytes);
  } catch {
    throw new Malformed("string is no valid UTF-8");
  }
}

/** Standard base64 with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(binary);
}
