/**
 * What a SPDY connection runs over: a socket that left HTTP, or a WebSocket as a tunnel.
 * In: a Duplex, a WebSocket. Out: a Link.
 * Never: buffers without bound: a reader that waits pauses the source.
 * Source: client-go tools/portforward/tunneling_connection.go for the tunnel.
 */
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import type { Link } from "./session.ts";

/** @param head what was read behind the request already */
export function socketLink(socket: Duplex, head: Uint8Array): Link {
  socket.on("error", () => socket.destroy());
  return {
    incoming: bytesOf(socket, head),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed || socket.writableEnded) {
          return reject(new Error("the socket is closed"));
        }
        socket.write(bytes, (error) => error ? reject(error) : resolve());
      }),
    close: () => void socket.end(),
  };
}

async function* bytesOf(socket: Duplex, head: Uint8Array): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  try {
    for await (const chunk of socket) yield chunk;
  } catch {
    // A socket that broke is one that ended.
  }
}

/** Each binary message carries the next bytes of the tunnel. */
export function tunnelLink(socket: WebSocket): Link {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let isEnded = false;
  const incoming = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    pull: () => socket.resume(),
    cancel: () => {
      isEnded = true;
    },
  });
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    if (isEnded || !isBinary) return;
    controller.enqueue(new Uint8Array(data));
    if ((controller.desiredSize ?? 1) <= 0) socket.pause();
  });
  socket.on("close", () => {
    if (isEnded) return;
    isEnded = true;
    controller.close();
  });
  socket.on("error", () => socket.terminate());
  return {
    incoming,
    write: (bytes) =>
      new Promise((resolve, reject) =>
        socket.send(
          bytes,
          { binary: true },
          (error?: Error | null) => error ? reject(error) : resolve(),
        )
      ),
    close: () => {
      socket.resume();
      socket.close(1000);
    },
  };
}
