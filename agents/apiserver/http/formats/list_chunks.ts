/**
 * Lists piece by piece, in every text format and in CBOR: what stands before the items, each item,
 * what stands behind them.
 * In: a list without its items, the items one by one. Out: chunks that joined are the list as it
 * would be written in one go.
 * Never: encodes an item before its chunk is taken.
 */
import { stringify } from "yaml";
import { encodeCborItem, encodeCborListHead } from "../../../api/schema/cbor.ts";
import { encodeUtf8 } from "../../../api/text/utf8.ts";
import type { Format } from "./negotiate.ts";

/** How a list is written whose items are in its last member. */
export interface ListLayout {
  readonly format: Exclude<Format, "protobuf">;
  readonly isPretty: boolean;
  /** The list's other members; undefined ones are left out. */
  readonly members: Readonly<Record<string, unknown>>;
  /** `items`, `rows` */
  readonly field: string;
}

const NOTHING = new Uint8Array(0);
const COMMA = encodeUtf8(",");

/** A value as YAML; what comes twice is written twice, for many readers know no references. */
export function formatYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

interface Frame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Between two items. */
  readonly comma: Uint8Array;
  readonly encode: (item: unknown) => Uint8Array;
}

/** A list, item by item. @param valueOf what an item says, asked for when its turn has come */
export function listChunks<T>(
  layout: ListLayout,
  items: readonly T[],
  valueOf: (item: T) => unknown,
): Iterable<Uint8Array> {
  const { encode, ...frame } = frameOf(layout, items.length);
  return framed(frame, items, (item) => encode(valueOf(item)));
}

/** A plain JSON list of items whose bytes are there already. */
export function jsonListChunks<T>(
  members: ListLayout["members"],
  items: readonly T[],
  bytesOf: (item: T) => Uint8Array,
): Iterable<Uint8Array> {
  return framed(jsonFrame(members, "items"), items, bytesOf);
}

function framed<T>(
  { head, comma, tail }: Omit<Frame, "encode">,
  items: readonly T[],
  encode: (item: T) => Uint8Array,
): Iterable<Uint8Array> {
  return {
    *[Symbol.iterator]() {
      yield head;
      for (let i = 0; i < items.length; i++) {
        if (i > 0 && comma !== NOTHING) yield comma;
        yield encode(items[i]);
      }
      if (tail !== NOTHING) yield tail;
    },
  };
}

function frameOf({ format, isPretty, members, field }: ListLayout, length: number): Frame {
  switch (format) {
    case "json":
      return isPretty ? prettyFrame(members, field, length) : jsonFrame(members, field);
    case "yaml":
      return {
        head: encodeUtf8(`${formatYaml(members)}${field}:${length === 0 ? " []" : ""}\n`),
        comma: NOTHING,
        encode: (item) => encodeUtf8(`  ${indent(formatYaml([item]), "  ")}`),
        tail: NOTHING,
      };
    case "cbor":
      return {
        head: encodeCborListHead(members, { name: field, length }),
        comma: NOTHING,
        encode: encodeCborItem,
        tail: NOTHING,
      };
  }
}

function jsonFrame(members: ListLayout["members"], field: string): Frame {
  return {
    head: encodeUtf8(`${JSON.stringify(members).slice(0, -1)},${JSON.stringify(field)}:[`),
    comma: COMMA,
    encode: (item) => encodeUtf8(JSON.stringify(item)),
    tail: encodeUtf8("]}\n"),
  };
}

function prettyFrame(members: ListLayout["members"], field: string, length: number): Frame {
  const before = JSON.stringify(members, null, 2).slice(0, -"\n}".length);
  return {
    head: encodeUtf8(`${before},\n  ${JSON.stringify(field)}: [`),
    comma: COMMA,
    encode: (item) => encodeUtf8(`\n    ${indent(JSON.stringify(item, null, 2), "    ")}`),
    tail: encodeUtf8(length === 0 ? "]\n}\n" : "\n  ]\n}\n"),
  };
}

/** Lines but the first one and empty ones, further to the right. */
function indent(text: string, by: string): string {
  return text.replace(/\n(?!\n|$)/g, `\n${by}`);
}
