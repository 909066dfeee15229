/**
 * What a connection is made with and how it ends.
 * In: nothing. Out: types.
 * Never: holds state. Source: RFC 9113 section 6.5.2 for the settings behind the limits.
 */
import type { BriefHandler } from "./brief.ts";
import type { ErrorCode } from "./frames.ts";
import type { HeaderBlock } from "./header_block.ts";
import type { Http2Stream } from "./stream.ts";

/** Bounds one side sets for its peer. */
export interface ConnectionLimits {
  /** Streams the peer may have open. Default 1000. */
  readonly maxConcurrentStreams?: number;
  /** Bytes one stream may send before it is credited. Default 1 MiB. */
  readonly streamWindow?: number;
  /** Bytes all streams may send before they are credited. Default 16 MiB. */
  readonly connectionWindow?: number;
  /** Largest header list taken, bytes as RFC 9113 counts them. Default 64 KiB. */
  readonly maxHeaderListBytes?: number;
}

export interface ConnectionOptions extends ConnectionLimits {
  readonly role: "server" | "client";
  /** Monotonic milliseconds, for the flood meter. */
  readonly now: () => number;
  /** Server: a request's head arrived; set the stream's callbacks before returning. */
  readonly onStream?: (stream: Http2Stream) => void;
  /** Server: who takes requests with this head without a stream; asked once a distinct head. */
  readonly briefOf?: (headers: HeaderBlock) => BriefHandler | null;
  /** Server: a request was refused for its head, while the connection goes on; for a log. */
  readonly onRefused?: (detail: string) => void;
  /** Output exists where there was none. */
  readonly onOutput: () => void;
  /** The connection is over: write what is pending and close the socket. Called once. */
  readonly onClosing: (reason: CloseReason) => void;
  /** Client: the peer takes no new streams; those above `lastStreamId` were not processed. */
  readonly onGoAway?: (lastStreamId: number) => void;
  /** A ping of this side was answered. */
  readonly onPong?: () => void;
}

export interface CloseReason {
  readonly code: ErrorCode;
  readonly detail: string;
  /** Whether the peer ended it (GOAWAY or end of input) rather than this side. */
  readonly byPeer: boolean;
}
