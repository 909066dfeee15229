/**
 * gRPC messages in a byte stream: a flag byte, a 32-bit length, the message.
 * In: DATA as it arrives. Out: whole messages, as views of the input where a message lies in one
 * piece; or the status that ends the call.
 * Never: decompresses; a compressed message is refused.
 * Source: PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
 */
import type { ProtoWriter } from "../../mvcc/proto.ts";
import { GrpcCode, type GrpcStatus } from "./status.ts";

export const PREFIX_BYTES = 5;

/** @param at where the prefix goes; positional because it runs for each message */
export function writePrefix(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = 0;
  bytes[at + 1] = length >>> 24;
  bytes[at + 2] = length >>> 16;
  bytes[at + 3] = length >>> 8;
  bytes[at + 4] = length;
}

/** @returns the message with its prefix */
export function frameMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(PREFIX_BYTES + message.length);
  writePrefix(framed, 0, message.length);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/** @returns the writer, emptied, with room for a message's prefix */
export function beginFramed(writer: ProtoWriter): ProtoWriter {
  writer.reset();
  writer.reserve(PREFIX_BYTES);
  writer.length = PREFIX_BYTES;
  return writer;
}

/** @returns a copy of what was written since `beginFramed`, with its prefix */
export function finishFramed(writer: ProtoWriter): Uint8Array {
  writePrefix(writer.bytes, 0, writer.length - PREFIX_BYTES);
  return writer.finish();
}

export class MessageReader {
  readonly #maxBytes: number;
  /** Value of `grpc-encoding`, to name in the refusal. */
  readonly #encoding: string;
  #held: Uint8Array<ArrayBuffer> | null = null;
  #heldLength = 0;

  /** @param options.maxBytes largest message taken */
  constructor(options: { readonly maxBytes: number; readonly encoding?: string }) {
    this.#maxBytes = options.maxBytes;
    this.#encoding = options.encoding ?? "";
  }

  /** Whether a message has begun and not ended. */
  get partial(): boolean {
    return this.#heldLength > 0;
  }

  /**
   * Takes bytes of the stream.
   *
   * @param onMessage called for each whole message with a view valid during the call
   * @returns the status that must end the call, or `null`
   */
  push(bytes: Uint8Array, onMessage: (message: Uint8Array) => void): GrpcStatus | null {
    let at = 0;
    while (at < bytes.length) {
      if (this.#heldLength === 0 && bytes.length - at >= PREFIX_BYTES) {
        const length = prefixLength(bytes, at);
        const refused = this.#refusal(bytes[at], length);
        if (refused !== null) return refused;
        const end = at + PREFIX_BYTES + length;
        if (end <= bytes.length) {
          onMessage(bytes.subarray(at + PREFIX_BYTES, end));
          at = end;
          continue;
        }
      }
      const taken = this.#hold(bytes, at);
      if (typeof taken !== "number") return taken;
      at += taken;
      this.#emitHeld(onMessage);
    }
    return null;
  }

  /** Collects a message that came in pieces; @returns bytes taken */
  #hold(bytes: Uint8Array, at: number): number | GrpcStatus {
    this.#held ??= new Uint8Array(1024);
    let wanted = PREFIX_BYTES;
    if (this.#heldLength >= PREFIX_BYTES) {
      const length = prefixLength(this.#held, 0);
      const refused = this.#refusal(this.#held[0], length);
      if (refused !== null) return refused;
      wanted += length;
    }
    const taken = Math.min(wanted - this.#heldLength, bytes.length - at);
    if (this.#held.length < this.#heldLength + taken) {
      const grown = new Uint8Array(Math.min(wanted, (this.#heldLength + taken) * 2));
      grown.set(this.#held.subarray(0, this.#heldLength));
      this.#held = grown;
    }
    this.#held.set(bytes.subarray(at, at + taken), this.#heldLength);
    this.#heldLength += taken;
    return taken;
  }

  #emitHeld(onMessage: (message: Uint8Array) => void): void {
    const held = this.#held;
    if (held === null || this.#heldLength < PREFIX_BYTES) return;
    const end = PREFIX_BYTES + prefixLength(held, 0);
    if (this.#heldLength !== end) return;
    this.#held = null;
    this.#heldLength = 0;
    onMessage(held.subarray(PREFIX_BYTES, end));
  }

  #refusal(flag: number, length: number): GrpcStatus | null {
    if (flag !== 0) {
      if (flag === 1 && this.#encoding !== "" && this.#encoding !== "identity") {
        return {
          code: GrpcCode.unimplemented,
          message: `grpc: Decompressor is not installed for grpc-encoding "${this.#encoding}"`,
        };
      }
      return {
        code: GrpcCode.internal,
        message: "grpc: compressed flag set with identity or empty encoding",
      };
    }
    if (length <= this.#maxBytes) return null;
    return {
      code: GrpcCode.resourceExhausted,
      message: `grpc: received message larger than max (${length} vs. ${this.#maxBytes})`,
    };
  }
}

/** @returns bytes of the message whose prefix is at `at` */
export function prefixLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 1] << 24) | (bytes[at + 2] << 16) | (bytes[at + 3] << 8) | bytes[at + 4]) >>>
    0;
}
