/**
 * Frames of SPDY/3.1 as bytes.
 * In: bytes in any pieces; frames to send. Out: frames; bytes.
 * Never: keeps state of streams; header blocks stay compressed here.
 * Errors: `FrameReader.push` throws SpdyError for what is no frame of this version.
 * Source: SPDY draft 3.1, sections 2.2 and 2.6.
 */

export const FLAG_FIN = 1;
export const FLAG_UNIDIRECTIONAL = 2;

export const SYN_STREAM = 1;
export const SYN_REPLY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const HEADERS = 8;
export const WINDOW_UPDATE = 9;

export const RST_PROTOCOL_ERROR = 1;
export const RST_INVALID_STREAM = 2;
export const RST_REFUSED_STREAM = 3;
export const RST_CANCEL = 5;

const VERSION = 3;
const HEAD_BYTES = 8;
/** Larger data frames than any client of this protocol makes. */
const MAX_FRAME_BYTES = 1 << 22;
const STREAM_MASK = 0x7fffffff;

export class SpdyError extends Error {}

export type Frame =
  | {
    readonly kind: "data";
    readonly streamId: number;
    readonly fin: boolean;
    readonly payload: Uint8Array;
  }
  | {
    readonly kind: "control";
    readonly type: number;
    readonly flags: number;
    readonly payload: Uint8Array;
  };

/** Cuts a byte stream into frames. */
export class FrameReader {
  #pending: Uint8Array = new Uint8Array(0);

  /** @returns the frames that are whole now; payloads are copies */
  push(bytes: Uint8Array): Frame[] {
    const all = join(this.#pending, bytes);
    const view = new DataView(all.buffer, all.byteOffset, all.length);
    const frames: Frame[] = [];
    let at = 0;
    while (all.length - at >= HEAD_BYTES) {
      const flags = view.getUint8(at + 4);
      const size = view.getUint32(at + 4) & 0xffffff;
      if (size > MAX_FRAME_BYTES) throw new SpdyError(`a frame of ${size} bytes`);
      if (all.length - at < HEAD_BYTES + size) break;
      const payload = all.slice(at + HEAD_BYTES, at + HEAD_BYTES + size);
      frames.push(parseFrame(view.getUint32(at), flags, payload));
      at += HEAD_BYTES + size;
    }
    this.#pending = all.subarray(at);
    return frames;
  }
}

function parseFrame(word: number, flags: number, payload: Uint8Array): Frame {
  const isControl = (word & 0x80000000) !== 0;
  if (!isControl) {
    return { kind: "data", streamId: word & STREAM_MASK, fin: (flags & FLAG_FIN) !== 0, payload };
  }
  const version = (word >>> 16) & 0x7fff;
  if (version !== VERSION) throw new SpdyError(`a frame of version ${version}`);
  return { kind: "control", type: word & 0xffff, flags, payload };
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

export function formatData(streamId: number, payload: Uint8Array, fin = false): Uint8Array {
  return frame(streamId, fin ? FLAG_FIN : 0, payload);
}

export function formatControl(type: number, flags: number, payload: Uint8Array): Uint8Array {
  return frame((0x80000000 | (VERSION << 16) | type) >>> 0, flags, payload);
}

function frame(word: number, flags: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEAD_BYTES + payload.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, word);
  view.setUint32(4, payload.length);
  view.setUint8(4, flags);
  out.set(payload, HEAD_BYTES);
  return out;
}

/** SYN_STREAM; a stream of no other, of middling priority. */
export function formatSynStream(streamId: number, block: Uint8Array): Uint8Array {
  const payload = new Uint8Array(10 + block.length);
  new DataView(payload.buffer).setUint32(0, streamId);
  payload.set(block, 10);
  return formatControl(SYN_STREAM, 0, payload);
}

export function formatSynReply(streamId: number, block: Uint8Array): Uint8Array {
  const payload = new Uint8Array(4 + block.length);
  new DataView(payload.buffer).setUint32(0, streamId);
  payload.set(block, 4);
  return formatControl(SYN_REPLY, 0, payload);
}

export function formatReset(streamId: number, status: number): Uint8Array {
  return formatControl(RST_STREAM, 0, words(streamId, status));
}

export function formatGoAway(lastStreamId: number, status: number): Uint8Array {
  return formatControl(GOAWAY, 0, words(lastStreamId, status));
}

function words(...values: readonly number[]): Uint8Array {
  const out = new Uint8Array(4 * values.length);
  const view = new DataView(out.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value));
  return out;
}

/** The first word of a control frame that speaks of a stream. Errors: throws SpdyError. */
export function streamIdOf(payload: Uint8Array): number {
  if (payload.length < 4) throw new SpdyError("a control frame ends early");
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0) & STREAM_MASK;
}
