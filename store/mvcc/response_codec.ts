/**
 * etcd's response messages as bytes, from outcomes or straight from stored records.
 * In: responses, or a selection of versions. Out: protobuf appended to a writer.
 * Never: makes a KeyValue object on the way of a range; records are copied as they are stored.
 * Source: etcd v3.6 rpc.proto. A response inside a transaction carries only the revision in its
 * header, and a nested transaction's header is empty, as etcd answers.
 *
 *   writer.reset(); machine.encodeRangeInto(writer, requestBytes, header); send(writer.view());
 */
import type { HeaderFields } from "./api.ts";
import { EMPTY_BYTES, ProtoWriter } from "./proto.ts";
import type { Kv } from "./storage/kv.ts";
import type { RangeSelection } from "./storage/range.ts";
import { RecordFields } from "./storage/record.ts";
import type { KeyValue, ResponseOp } from "./types.ts";

/** Encodes response headers; the parts that rarely change are kept as bytes. */
export class HeaderEncoder {
  #fields: HeaderFields | undefined;
  #revision = 0;
  readonly #before = new ProtoWriter(32);
  readonly #after = new ProtoWriter(16);
  readonly #whole = new ProtoWriter(64);
  #bytes: Uint8Array = EMPTY_BYTES;

  /** Appends ResponseHeader as field 1. @param revision of the store. */
  encode(writer: ProtoWriter, fields: HeaderFields, revision: number): void {
    if (this.#fields !== fields || this.#revision !== revision) this.#renew(fields, revision);
    writer.raw(this.#bytes);
  }

  #renew(fields: HeaderFields, revision: number): void {
    if (this.#fields !== fields) this.#prepare(fields);
    const whole = this.#whole;
    whole.reset();
    const start = whole.beginMessage(1);
    whole.raw(this.#before.view());
    whole.int64Field(3, revision);
    whole.raw(this.#after.view());
    whole.endMessage(start);
    this.#bytes = whole.view();
    this.#revision = revision;
  }

  #prepare(fields: HeaderFields): void {
    this.#fields = fields;
    this.#before.reset();
    this.#before.bigField(1, fields.clusterId);
    this.#before.bigField(2, fields.memberId);
    this.#after.reset();
    this.#after.int64Field(4, fields.raftTerm);
  }
}

/**
 * Appends a RangeResponse body (all but the header) from stored records.
 * @param writer target.
 * @param kv the map. @param selection from `selectRange`.
 * @param keysOnly leaves values out.
 */
export function encodeSelection(
  writer: ProtoWriter,
  kv: Kv,
  selection: RangeSelection,
  keysOnly: boolean,
): void {
  const { history } = kv;
  if (keysOnly) {
    const fields = new RecordFields();
    for (const version of selection.versions) {
      history.read(version, fields).encodeKeyInto(writer, 2);
    }
  } else for (const version of selection.versions) history.encodeInto(writer, 2, version);
  writer.boolField(3, selection.more);
  writer.int64Field(4, selection.count);
}

/**
 * Appends a RangeResponse body for one key as it is now.
 * @param writer target. @param kv the map.
 * @param version the key's newest, 0 when there is no such key.
 */
export function encodePoint(writer: ProtoWriter, kv: Kv, version: number): void {
  if (version === 0 || kv.versions.isTombstone(version)) return;
  kv.history.encodeInto(writer, 2, version);
  writer.int64Field(4, 1);
}

/** Appends mvccpb.KeyValue as a field. */
export function encodeKeyValue(writer: ProtoWriter, field: number, kv: KeyValue): void {
  const start = writer.beginMessage(field);
  writer.bytesField(1, kv.key);
  writer.int64Field(2, kv.createRevision);
  writer.int64Field(3, kv.modRevision);
  writer.int64Field(4, kv.version);
  writer.bytesField(5, kv.value);
  writer.bigField(6, kv.lease);
  writer.endMessage(start);
}

/**
 * Appends the response to a range, put, delete or transaction.
 * @param writer target. @param response what apply or range answered.
 * @param headers encoder of the header. @param fields of the header.
 */
export function encodeResponse(
  writer: ProtoWriter,
  response: ResponseOp,
  headers: HeaderEncoder,
  fields: HeaderFields,
): void {
  headers.encode(writer, fields, response.revision);
  encodeBody(writer, response);
}

function encodeBody(writer: ProtoWriter, response: ResponseOp): void {
  switch (response.kind) {
    case "range":
      for (const kv of response.kvs) encodeKeyValue(writer, 2, kv);
      writer.boolField(3, response.more);
      writer.int64Field(4, response.count);
      break;
    case "put":
      if (response.prevKv !== undefined) encodeKeyValue(writer, 2, response.prevKv);
      break;
    case "deleteRange":
      writer.int64Field(2, response.deleted);
      for (const kv of response.prevKvs) encodeKeyValue(writer, 3, kv);
      break;
    case "txn":
      writer.boolField(2, response.succeeded);
      for (const op of response.responses) encodeInner(writer, op);
  }
}

const OP_FIELDS = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const;

function encodeInner(writer: ProtoWriter, response: ResponseOp): void {
  const outer = writer.beginMessage(3);
  const inner = writer.beginMessage(OP_FIELDS[response.kind]);
  const header = writer.beginMessage(1);
  if (response.kind !== "txn") writer.int64Field(3, response.revision);
  writer.endMessage(header);
  encodeBody(writer, response);
  writer.endMessage(inner);
  writer.endMessage(outer);
}
