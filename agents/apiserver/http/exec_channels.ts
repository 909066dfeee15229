/**
 * The channels of an exec or attach session over one WebSocket: v5 and v4.channel.k8s.io.
 * In: a WebSocket and which streams were asked for. Out: the streams, and how to end the session.
 * Never: buffers without bound: a full stdin pauses the socket, a full socket holds stdout back.
 * Source: client-go tools/remotecommand (websocket.go, v4.go, v5.go), v1.36.
 */
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import type { ExecOutcome, ExecStreams } from "../ports.ts";
import { outputTo, send, SocketInput } from "./socket_channels.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

export interface ExecRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface ExecSession {
  readonly streams: ExecStreams;
  /** Tells the client how it ended and closes. */
  finish(outcome: ExecOutcome): void;
}

type Size = { readonly width: number; readonly height: number };

export function openExecSession(socket: WebSocket, wanted: ExecRequest): ExecSession {
  const stdin = wanted.stdin ? new SocketInput(socket) : null;
  const sizes = new SizeQueue();
  socket.on("message", (data: Uint8Array) => {
    if (data.length === 0) return;
    const payload = data.subarray(1);
    if (data[0] === STDIN) stdin?.push(payload);
    else if (data[0] === RESIZE) sizes.push(payload);
    else if (data[0] === CLOSE && payload[0] === STDIN) stdin?.end();
  });
  socket.on("close", () => {
    stdin?.end();
    sizes.end();
  });
  const streams: ExecStreams = {
    ...(stdin === null ? {} : { stdin: stdin.readable }),
    ...(wanted.stdout ? { stdout: outputTo(socket, STDOUT) } : {}),
    // A terminal has one output.
    ...(wanted.stderr && !wanted.tty ? { stderr: outputTo(socket, STDERR) } : {}),
    ...(wanted.tty ? { resize: sizes } : {}),
  };
  return {
    streams,
    finish(outcome) {
      sizes.end();
      send(socket, ERROR, new TextEncoder().encode(JSON.stringify(statusOf(outcome))), () => {
        socket.close(1000);
      });
    },
  };
}

/** The last word of a session: a Status in the remote command protocol's own, shorter dress. */
export function statusOf(outcome: ExecOutcome): Record<string, unknown> {
  if (outcome.kind === "failed") {
    const { message } = outcome;
    return { metadata: {}, status: "Failure", reason: "InternalError", message, code: 500 };
  }
  if (outcome.exitCode === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with non-zero exit code: exit status ${outcome.exitCode}`,
    details: { causes: [{ reason: "ExitCode", message: String(outcome.exitCode) }] },
  };
}

/** The newest terminal size; older ones that nobody read are of no use. */
export class SizeQueue implements AsyncIterable<Size> {
  #latest: Size | null = null;
  #wake: (() => void) | null = null;
  #isEnded = false;

  push(payload: Uint8Array): void {
    try {
      const { Width, Height } = JSON.parse(new TextDecoder().decode(payload));
      if (!Number.isInteger(Width) || !Number.isInteger(Height)) return;
      this.#latest = { width: Width, height: Height };
      this.#wake?.();
    } catch {
      // A size that can't be read leaves the terminal as it is.
    }
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Size> {
    for (;;) {
      if (this.#latest !== null) {
        const size = this.#latest;
        this.#latest = null;
        yield size;
      } else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
