/**
 * The channels of an exec or attach session over one WebSocket: v5 and v4.channel.k8s.io.
 * In: a WebSocket and which streams were asked for. Out: the streams, and how to end the session.
 * Never: buffers without bound: a full stdin pauses the socket, a full socket holds stdout back.
 * Source: client-go tools/remotecommand (websocket.go, v4.go, v5.go), v1.36.
 */
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import {
  type ExecRequest,
  type ExecSession,
  type ExecStreams,
  SizeQueue,
  statusOf,
} from "../../spdy/streams.ts";
import { outputTo, send, SocketInput } from "./socket_channels.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

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
