/**
 * HTTP/2 frames as bytes: constants, a growing output buffer, and writers for every frame sent.
 * In: numbers and byte slices. Out: bytes appended to an `OutputBuffer`; fields read in place.
 * Never: keeps state of a connection (see `connection.ts`), allocates an object per frame.
 * Source: RFC 9113 sections 4, 6 and 7.
 */

export const FRAME_HEADER_BYTES = 9;

/** What a client sends before its first frame. */
export const CLIENT_PREFACE: Uint8Array<ArrayBuffer> = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = {
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const ErrorCode = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const;

export type ErrorCode = typeof ErrorCode[keyof typeof ErrorCode];

export const MAX_WINDOW = 0x7fffffff;
export const DEFAULT_WINDOW = 65535;
export const DEFAULT_FRAME_SIZE = 16384;
export const MAX_FRAME_SIZE = 16777215;

function ascii(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Bytes waiting for the socket; grows, and is reused once drained. */
export class OutputBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  /** @param capacity bytes reserved at the start */
  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes room for `count` more bytes; the caller writes them at `length` and advances it. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    let capacity = this.bytes.length * 2;
    while (capacity < needed) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  append(chunk: Uint8Array): void {
    this.reserve(chunk.length);
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  /** As `append`, for `chunk[0, length)` that is mostly short and whose room is reserved. */
  appendShort(chunk: Uint8Array, length: number): void {
    const { bytes } = this;
    let at = this.length;
    this.length += length;
    if (length > 96) bytes.set(chunk.subarray(0, length), at);
    else for (let i = 0; i < length; i++) bytes[at++] = chunk[i];
  }

  appendByte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** @returns a copy of what was appended */
  copy(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}

/** @returns the big-endian 24-bit integer at `at` */
export function readUint24(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
}

/** @returns the big-endian unsigned 32-bit integer at `at` */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** @returns the 31-bit integer at `at`, its reserved bit ignored */
export function readUint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at] & 0x7f) << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

/** Appends a frame header; positional because it runs for each frame sent. */
export function writeFrameHeader(
  out: OutputBuffer,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  out.reserve(FRAME_HEADER_BYTES);
  const bytes = out.bytes;
  const at = out.length;
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = streamId >>> 24;
  bytes[at + 6] = streamId >>> 16;
  bytes[at + 7] = streamId >>> 8;
  bytes[at + 8] = streamId;
  out.length = at + FRAME_HEADER_BYTES;
}

function writeUint32(out: OutputBuffer, value: number): void {
  out.reserve(4);
  const at = out.length;
  out.bytes[at] = value >>> 24;
  out.bytes[at + 1] = value >>> 16;
  out.bytes[at + 2] = value >>> 8;
  out.bytes[at + 3] = value;
  out.length = at + 4;
}

/** @param settings pairs of identifier and value */
export function writeSettings(
  out: OutputBuffer,
  settings: readonly (readonly [id: number, value: number])[],
): void {
  writeFrameHeader(out, settings.length * 6, FrameType.settings, 0, 0);
  for (const [id, value] of settings) {
    out.appendByte(id >>> 8);
    out.appendByte(id & 0xff);
    writeUint32(out, value);
  }
}

export function writeSettingsAck(out: OutputBuffer): void {
  writeFrameHeader(out, 0, FrameType.settings, Flag.ack, 0);
}

/** @param payload at least 8 bytes from `at` */
export function writePing(out: OutputBuffer, ack: boolean, payload: Uint8Array, at = 0): void {
  writeFrameHeader(out, 8, FrameType.ping, ack ? Flag.ack : 0, 0);
  out.append(payload.subarray(at, at + 8));
}

export function writeRstStream(out: OutputBuffer, streamId: number, code: number): void {
  writeFrameHeader(out, 4, FrameType.rstStream, 0, streamId);
  writeUint32(out, code);
}

/** @param increment bytes, 1..2^31-1 */
export function writeWindowUpdate(out: OutputBuffer, streamId: number, increment: number): void {
  writeFrameHeader(out, 4, FrameType.windowUpdate, 0, streamId);
  writeUint32(out, increment);
}

/** @param debug short ASCII text for the peer's log */
export function writeGoAway(
  out: OutputBuffer,
  goAway: { readonly lastStreamId: number; readonly code: number; readonly debug: string },
): void {
  const text = ascii(goAway.debug);
  writeFrameHeader(out, 8 + text.length, FrameType.goAway, 0, 0);
  writeUint32(out, goAway.lastStreamId);
  writeUint32(out, goAway.code);
  out.append(text);
}

/** Appends a header block as one HEADERS frame and as many CONTINUATION frames as it needs. */
export function writeHeaders(
  out: OutputBuffer,
  block: Uint8Array,
  streamId: number,
  options: { readonly endStream: boolean; readonly maxFrameSize: number },
): void {
  const endStream = options.endStream ? Flag.endStream : 0;
  const max = options.maxFrameSize;
  if (block.length <= max) {
    writeFrameHeader(out, block.length, FrameType.headers, Flag.endHeaders | endStream, streamId);
    out.append(block);
    return;
  }
  writeFrameHeader(out, max, FrameType.headers, endStream, streamId);
  out.append(block.subarray(0, max));
  for (let at = max; at < block.length; at += max) {
    const part = block.subarray(at, at + max);
    const last = at + max >= block.length ? Flag.endHeaders : 0;
    writeFrameHeader(out, part.length, FrameType.continuation, last, streamId);
    out.append(part);
  }
}
