/**
 * Ports of a pod over one WebSocket: v4.channel.k8s.io, which clients without SPDY speak.
 * In: a WebSocket, port numbers, how to reach a port. Out: two channels a port, one of data and
 * one of errors; each begins with the port's number, little-endian, in two bytes.
 * Never: buffers without bound: a slow port pauses the socket, a slow socket holds the port back.
 * Source: kubelet/pkg/cri/streaming/portforward/websocket.go (v1.36).
 */
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { badRequest } from "../../api/status.ts";
import type { ByteDuplex } from "../ports.ts";
import { outputTo, SocketInput } from "./socket_channels.ts";

/** The ports that a query names. Errors: throws ApiError 400. */
export function portsOf(query: URLSearchParams): readonly number[] {
  const texts = query.getAll("ports").flatMap((text) => text.split(","));
  if (texts.length === 0) throw badRequest('query parameter "port" is required');
  return texts.map((text) => {
    const port = Number(text);
    if (!/^\d+$/.test(text) || port < 1 || port > 65_535) {
      throw badRequest(`unable to parse ${JSON.stringify(text)} as a port`);
    }
    return port;
  });
}

/** Serves the channels until the client goes away. */
export function servePortChannels(
  socket: WebSocket,
  ports: readonly number[],
  connect: (port: number) => Promise<ByteDuplex>,
): void {
  const inputs = ports.map(() => new SocketInput(socket));
  socket.on("message", (data: Uint8Array) => {
    if (data.length > 1) inputs[data[0] / 2]?.push(data.subarray(1));
  });
  socket.on("close", () => {
    for (const input of inputs) input.end();
  });
  const served = ports.map((port, index) => servePort({ socket, port, index, connect }, inputs));
  void Promise.all(served).then(() => socket.close(1000));
}

interface PortParts {
  readonly socket: WebSocket;
  readonly port: number;
  readonly index: number;
  readonly connect: (port: number) => Promise<ByteDuplex>;
}

async function servePort(parts: PortParts, inputs: readonly SocketInput[]): Promise<void> {
  const { socket, port, index, connect } = parts;
  const data = outputTo(socket, 2 * index);
  const errors = outputTo(socket, 2 * index + 1).getWriter();
  const greeting = new Uint8Array(2);
  new DataView(greeting.buffer).setUint16(0, port, true);
  try {
    const first = data.getWriter();
    await Promise.all([first.write(greeting), errors.write(greeting)]);
    first.releaseLock();
    const pod = await connect(port);
    // The client's side may end long before the pod has answered.
    const sent = inputs[index].readable.pipeTo(pod.writable).catch(() => {});
    await pod.readable.pipeTo(data, { preventClose: true });
    inputs[index].end();
    await sent;
  } catch (error) {
    inputs[index].end();
    const reason = error instanceof Error ? error.message : String(error);
    const text = `an error occurred forwarding ${port}: ${reason}`;
    await errors.write(new TextEncoder().encode(text)).catch(() => {});
  }
}
