/**
 * The peer's SETTINGS applied to what we send, and our own at the start.
 * In: payloads of SETTINGS frames. Out: changes to the `Sender` and open streams, or an error.
 * Never: acknowledges; the connection does.
 * Source: RFC 9113 section 6.5.
 */
import {
  CLIENT_PREFACE,
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  ErrorCode,
  MAX_FRAME_SIZE,
  MAX_WINDOW,
  type OutputBuffer,
  readUint32,
  Setting,
  writeSettings,
  writeWindowUpdate,
} from "./frames.ts";
import type { Sender } from "./sender.ts";
import type { Http2Stream } from "./stream.ts";

/** Larger frames than this gain nothing and let one stream hold the socket for longer. */
const MAX_SENT_FRAME_BYTES = 64 * 1024;

export interface SettingsError {
  readonly code: ErrorCode;
  readonly detail: string;
}

export class PeerSettings {
  /** Streams the peer lets us open. */
  maxConcurrentStreams = Infinity;
  readonly #sender: Sender;
  readonly #peerIsServer: boolean;

  constructor(sender: Sender, options: { readonly peerIsServer: boolean }) {
    this.#sender = sender;
    this.#peerIsServer = options.peerIsServer;
  }

  /**
   * Applies one frame's settings in order.
   *
   * @param payload whole entries of six bytes
   * @returns the connection error, or null
   */
  apply(payload: Uint8Array, streams: Iterable<Http2Stream>): SettingsError | null {
    for (let at = 0; at < payload.length; at += 6) {
      const id = (payload[at] << 8) | payload[at + 1];
      const error = this.#applyOne(id, readUint32(payload, at + 2), streams);
      if (error !== null) return error;
    }
    return null;
  }

  #applyOne(id: number, value: number, streams: Iterable<Http2Stream>): SettingsError | null {
    switch (id) {
      case Setting.headerTableSize:
        this.#sender.encoder.setPeerTableSize(value);
        return null;
      case Setting.enablePush:
        if (value === 0 || (value === 1 && !this.#peerIsServer)) return null;
        return { code: ErrorCode.protocolError, detail: "SETTINGS_ENABLE_PUSH" };
      case Setting.maxConcurrentStreams:
        this.maxConcurrentStreams = value;
        return null;
      case Setting.initialWindowSize:
        return this.#applyInitialWindow(value, streams);
      case Setting.maxFrameSize:
        if (value < DEFAULT_FRAME_SIZE || value > MAX_FRAME_SIZE) {
          return { code: ErrorCode.protocolError, detail: "SETTINGS_MAX_FRAME_SIZE" };
        }
        this.#sender.maxFrameSize = Math.min(value, MAX_SENT_FRAME_BYTES);
        return null;
      default:
        return null;
    }
  }

  /** A change applies to every open stream, and may make its window negative. */
  #applyInitialWindow(value: number, streams: Iterable<Http2Stream>): SettingsError | null {
    if (value > MAX_WINDOW) {
      return { code: ErrorCode.flowControlError, detail: "SETTINGS_INITIAL_WINDOW_SIZE" };
    }
    const change = value - this.#sender.initialStreamWindow;
    this.#sender.initialStreamWindow = value;
    for (const stream of streams) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) {
        return { code: ErrorCode.flowControlError, detail: "stream window overflow" };
      }
    }
    if (change > 0) this.#sender.pump();
    return null;
  }
}

/** Appends what a side sends first: the preface on a client, SETTINGS, and the first credit. */
export function writeOpening(
  out: OutputBuffer,
  opening: {
    readonly isServer: boolean;
    readonly maxConcurrentStreams: number;
    readonly streamWindow: number;
    readonly connectionWindow: number;
    readonly maxHeaderListBytes: number;
  },
): void {
  if (!opening.isServer) out.append(CLIENT_PREFACE);
  writeSettings(out, [
    opening.isServer
      ? [Setting.maxConcurrentStreams, opening.maxConcurrentStreams]
      : [Setting.enablePush, 0],
    [Setting.initialWindowSize, opening.streamWindow],
    [Setting.maxHeaderListSize, opening.maxHeaderListBytes],
  ]);
  const more = opening.connectionWindow - DEFAULT_WINDOW;
  if (more > 0) writeWindowUpdate(out, 0, more);
}
