/**
 * What members say to each other, as bytes.
 * In: Raft messages and the transport's own frames. Out: length-framed bytes, and back.
 * Never: trusts a length or a number that came from the network; bytes it can't read are null.
 *
 *   frame := length u32 (of what follows), type u8, body; integers little-endian
 */
import { readSafeInteger, writeSafeInteger } from "../disk/record.ts";
import type { ConfState, Entry, Message, MessageType, SnapshotMeta } from "../raft/types.ts";

export const FRAME = {
  hello: 1,
  refused: 2,
  messages: 3,
  call: 4,
  answer: 5,
  snapshotBegin: 6,
  snapshotHave: 7,
  snapshotChunk: 8,
  snapshotEnd: 9,
  snapshotDone: 10,
  describe: 11,
} as const;

/** Larger frames are a protocol error. */
export const MAX_FRAME_BYTES = 128 * 1024 * 1024;
/** A peer that is further behind loses messages instead of filling our memory. */
export const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
const PREFIX_BYTES = 5;
const MESSAGE_BYTES = 76;
const ENTRY_BYTES = 21;

/** Numbers on the wire; a number is never given a second meaning. */
const TYPES: readonly MessageType[] = [
  "append",
  "appendResponse",
  "heartbeat",
  "heartbeatResponse",
  "preVote",
  "preVoteResponse",
  "vote",
  "voteResponse",
  "snapshot",
  "propose",
  "readIndex",
  "readIndexResponse",
  "transferLeader",
  "timeoutNow",
];

/** @returns one frame around `parts` */
export function encodeFrame(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = new Uint8Array(PREFIX_BYTES + length);
  new DataView(frame.buffer).setUint32(0, length + 1, true);
  frame[4] = type;
  let at = PREFIX_BYTES;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  #bytes = new Uint8Array(64 * 1024);
  #end = 0;
  #onFrame: (type: number, body: Uint8Array) => void;

  /** @param onFrame gets the type and a copy of the body */
  constructor(onFrame: (type: number, body: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  /** @returns false when the stream is no stream of frames; it must be closed */
  push(chunk: Uint8Array): boolean {
    this.#append(chunk);
    const view = new DataView(this.#bytes.buffer);
    let at = 0;
    while (this.#end - at >= PREFIX_BYTES) {
      const length = view.getUint32(at, true);
      if (length < 1 || length > MAX_FRAME_BYTES) return false;
      if (this.#end - at < 4 + length) break;
      this.#onFrame(this.#bytes[at + 4], this.#bytes.slice(at + PREFIX_BYTES, at + 4 + length));
      at += 4 + length;
    }
    this.#bytes.copyWithin(0, at, this.#end);
    this.#end -= at;
    return true;
  }

  #append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#end + chunk.length));
      grown.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }
}

/** @returns the body of a `messages` frame */
export function encodeMessages(messages: readonly Message[]): Uint8Array {
  let length = 4;
  const confs = messages.map((message) => message.snapshot && encodeSnapshotMeta(message.snapshot));
  messages.forEach((message, i) => {
    length += MESSAGE_BYTES + (confs[i]?.length ?? 0);
    for (const entry of message.entries) length += ENTRY_BYTES + entry.data.length;
  });
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, messages.length, true);
  let at = 4;
  messages.forEach((message, i) => {
    bytes[at] = TYPES.indexOf(message.type);
    bytes[at + 1] = message.reject ? 1 : 0;
    view.setBigUint64(at + 4, message.from, true);
    view.setBigUint64(at + 12, message.to, true);
    writeSafeInteger(view, at + 20, message.term);
    writeSafeInteger(view, at + 28, message.logTerm);
    writeSafeInteger(view, at + 36, message.index);
    writeSafeInteger(view, at + 44, message.commit);
    writeSafeInteger(view, at + 52, message.rejectHint);
    view.setBigUint64(at + 60, BigInt.asUintN(64, message.context), true);
    view.setUint32(at + 68, message.entries.length, true);
    view.setUint32(at + 72, confs[i]?.length ?? 0, true);
    at += MESSAGE_BYTES;
    bytes.set(confs[i] ?? new Uint8Array(0), at);
    at += confs[i]?.length ?? 0;
    for (const entry of message.entries) at = encodeEntry(bytes, view, at, entry);
  });
  return bytes;
}

function encodeEntry(bytes: Uint8Array, view: DataView, at: number, entry: Entry): number {
  writeSafeInteger(view, at, entry.term);
  writeSafeInteger(view, at + 8, entry.index);
  bytes[at + 16] = entry.kind === "confChange" ? 1 : 0;
  view.setUint32(at + 17, entry.data.length, true);
  bytes.set(entry.data, at + ENTRY_BYTES);
  return at + ENTRY_BYTES + entry.data.length;
}

/**
 * @returns the messages meant for a member, or null when the body is malformed
 * A snapshot message without its file would be a promise nobody keeps, so it is left out.
 */
export function decodeMessagesTo(memberId: bigint, bytes: Uint8Array): Message[] | null {
  const messages = decodeMessages(bytes);
  return messages?.filter(({ to, type }) => to === memberId && type !== "snapshot") ?? null;
}

/** @returns the messages, or null when the body is malformed; entry data are views of `bytes` */
export function decodeMessages(bytes: Uint8Array): Message[] | null {
  if (bytes.length < 4) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  const messages: Message[] = [];
  let at = 4;
  for (let i = 0; i < count; i++) {
    if (at + MESSAGE_BYTES > bytes.length) return null;
    const start = at;
    const type = TYPES[bytes[start]];
    const entryCount = view.getUint32(start + 68, true);
    const confLength = view.getUint32(start + 72, true);
    at += MESSAGE_BYTES;
    if (type === undefined || at + confLength > bytes.length) return null;
    const snapshot = confLength === 0
      ? null
      : decodeSnapshotMeta(bytes.subarray(at, at + confLength));
    if (confLength > 0 && snapshot === null) return null;
    at += confLength;
    const entries: Entry[] = [];
    for (let e = 0; e < entryCount; e++) {
      if (at + ENTRY_BYTES > bytes.length) return null;
      const end = at + ENTRY_BYTES + view.getUint32(at + 17, true);
      if (end > bytes.length) return null;
      entries.push({
        term: readSafeInteger(view, at),
        index: readSafeInteger(view, at + 8),
        kind: bytes[at + 16] === 1 ? "confChange" : "normal",
        data: bytes.subarray(at + ENTRY_BYTES, end),
      });
      at = end;
    }
    messages.push({
      type,
      from: view.getBigUint64(start + 4, true),
      to: view.getBigUint64(start + 12, true),
      term: readSafeInteger(view, start + 20),
      logTerm: readSafeInteger(view, start + 28),
      index: readSafeInteger(view, start + 36),
      commit: readSafeInteger(view, start + 44),
      entries,
      reject: bytes[start + 1] === 1,
      rejectHint: readSafeInteger(view, start + 52),
      snapshot,
      context: view.getBigUint64(start + 60, true),
    });
  }
  return at === bytes.length ? messages : null;
}

function encodeSnapshotMeta({ index, term, conf }: SnapshotMeta): Uint8Array {
  const lists = [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext];
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  const view = new DataView(new ArrayBuffer(16 + 1 + 8 + 8 * count));
  writeSafeInteger(view, 0, index);
  writeSafeInteger(view, 8, term);
  view.setUint8(16, conf.autoLeave ? 1 : 0);
  let at = 25;
  lists.forEach((list, i) => {
    view.setUint16(17 + 2 * i, list.length, true);
    for (const id of list) {
      view.setBigUint64(at, id, true);
      at += 8;
    }
  });
  return new Uint8Array(view.buffer);
}

function decodeSnapshotMeta(bytes: Uint8Array): SnapshotMeta | null {
  if (bytes.length < 25) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const counts = [0, 1, 2, 3].map((i) => view.getUint16(17 + 2 * i, true));
  if (bytes.length !== 25 + 8 * counts.reduce((sum, count) => sum + count, 0)) return null;
  let at = 25;
  const [voters, votersOutgoing, learners, learnersNext] = counts.map((count) =>
    Array.from({ length: count }, () => view.getBigUint64((at += 8) - 8, true))
  );
  const conf: ConfState = {
    voters,
    votersOutgoing,
    learners,
    learnersNext,
    autoLeave: bytes[16] === 1,
  };
  return { index: readSafeInteger(view, 0), term: readSafeInteger(view, 8), conf };
}

/** Who speaks, to whom, of which cluster. */
export interface Hello {
  readonly clusterId: bigint;
  readonly from: bigint;
  readonly to: bigint;
}

const HELLO_BYTES = 28;
const PROTOCOL_VERSION = 1;

export function encodeHello(hello: Hello): Uint8Array {
  const view = new DataView(new ArrayBuffer(HELLO_BYTES));
  view.setUint32(0, PROTOCOL_VERSION, true);
  view.setBigUint64(4, hello.clusterId, true);
  view.setBigUint64(12, hello.from, true);
  view.setBigUint64(20, hello.to, true);
  return new Uint8Array(view.buffer);
}

/** @returns the greeting, or null for another protocol or version */
export function decodeHello(bytes: Uint8Array): Hello | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length !== HELLO_BYTES || view.getUint32(0, true) !== PROTOCOL_VERSION) return null;
  return {
    clusterId: view.getBigUint64(4, true),
    from: view.getBigUint64(12, true),
    to: view.getBigUint64(20, true),
  };
}

/** @returns eight bytes */
export function encodeNumber(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  writeSafeInteger(view, 0, value);
  return new Uint8Array(view.buffer);
}

/** @returns the number at `offset`, 0 when the bytes end before it */
export function decodeNumber(bytes: Uint8Array, offset = 0): number {
  if (bytes.length < offset + 8) return 0;
  return readSafeInteger(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset);
}
