/**
 * Cuts a stream of bytes into frames, in place, and assembles header blocks.
 * In: reads of any size, and the fragments of HEADERS and CONTINUATION. Out: one call a frame with
 * its position in the buffer; whole header blocks. Only what a read cuts off is copied.
 * Never: knows what frames mean, beyond their padding.
 * Source: RFC 9113 sections 3.4, 4.1 and 6.10.
 */
import {
  CLIENT_PREFACE,
  DEFAULT_FRAME_SIZE,
  Flag,
  FRAME_HEADER_BYTES,
  readUint24,
  readUint31,
} from "./frames.ts";

/** Where a frame's payload lies; `start` and `end` move when padding is dropped. */
export interface FrameView {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  start: number;
  end: number;
}

export interface ParserEvents {
  /** The view object is reused for the next frame. */
  onFrame(bytes: Uint8Array, frame: FrameView): void;
  onBadPreface(): void;
  onOversized(): void;
  /** Asked before each frame. */
  stopped(): boolean;
}

export class FrameParser {
  readonly #events: ParserEvents;
  readonly #view = { type: 0, flags: 0, streamId: 0, start: 0, end: 0 };
  #prefaceLeft: number;
  #carry: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #carryLength = 0;

  constructor(events: ParserEvents, options: { readonly expectPreface: boolean }) {
    this.#events = events;
    this.#prefaceLeft = options.expectPreface ? CLIENT_PREFACE.length : 0;
  }

  /** Takes one read; the slice may be reused after the call. */
  receive(bytes: Uint8Array): void {
    if (this.#carryLength === 0) {
      const consumed = this.#parse(bytes, bytes.length);
      if (consumed < bytes.length) this.#keep(bytes.subarray(consumed));
      return;
    }
    const length = this.#carryLength + bytes.length;
    if (this.#carry.length < length) {
      const grown = new Uint8Array(Math.max(length, this.#carry.length * 2));
      grown.set(this.#carry.subarray(0, this.#carryLength));
      this.#carry = grown;
    }
    this.#carry.set(bytes, this.#carryLength);
    const consumed = this.#parse(this.#carry, length);
    this.#carry.copyWithin(0, consumed, length);
    this.#carryLength = length - consumed;
  }

  #keep(rest: Uint8Array): void {
    if (this.#carry.length < rest.length) {
      this.#carry = new Uint8Array(Math.max(rest.length, DEFAULT_FRAME_SIZE));
    }
    this.#carry.set(rest);
    this.#carryLength = rest.length;
  }

  /** @returns how many bytes were consumed */
  #parse(bytes: Uint8Array, end: number): number {
    let at = 0;
    while (this.#prefaceLeft > 0 && at < end) {
      if (bytes[at++] !== CLIENT_PREFACE[CLIENT_PREFACE.length - this.#prefaceLeft--]) {
        this.#events.onBadPreface();
        return end;
      }
    }
    const view = this.#view;
    while (end - at >= FRAME_HEADER_BYTES) {
      if (this.#events.stopped()) return end;
      const length = readUint24(bytes, at);
      if (length > DEFAULT_FRAME_SIZE) {
        this.#events.onOversized();
        return end;
      }
      view.start = at + FRAME_HEADER_BYTES;
      view.end = view.start + length;
      if (view.end > end) break;
      view.type = bytes[at + 3];
      view.flags = bytes[at + 4];
      view.streamId = readUint31(bytes, at + 5);
      at = view.end;
      this.#events.onFrame(bytes, view);
    }
    return at;
  }
}

/** Drops padding from a DATA or HEADERS frame. @returns false when it is longer than the frame */
export function dropPadding(bytes: Uint8Array, frame: FrameView): boolean {
  if ((frame.flags & Flag.padded) === 0) return true;
  const padding = frame.start < frame.end ? bytes[frame.start] : Infinity;
  frame.start++;
  if (frame.start + padding > frame.end) return false;
  frame.end -= padding;
  return true;
}

/** A header block on its way. */
export class BlockAssembler {
  /** Stream of the unfinished block, 0 when none. */
  streamId = 0;
  endsStream = false;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  readonly #maxBytes: number;
  readonly #maxParts = 128;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  begin(fragment: Uint8Array, options: { streamId: number; endsStream: boolean }): void {
    this.streamId = options.streamId;
    this.endsStream = options.endsStream;
    this.#parts = [fragment.slice()];
    this.#bytes = fragment.length;
  }

  /** @returns false when the block grew beyond what is worth decoding */
  add(fragment: Uint8Array): boolean {
    this.#parts.push(fragment.slice());
    this.#bytes += fragment.length;
    return this.#bytes <= this.#maxBytes && this.#parts.length <= this.#maxParts;
  }

  /** @returns the whole block; the assembler is free again */
  finish(): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.streamId = 0;
    return whole;
  }
}
