/**
 * The Peers port over TCP or TLS: one dialled connection to each member, one accepted from each.
 * In: what the runner sends. Out: frames on sockets, and what arrives handed to the member.
 * Never: promises delivery; keeps the order of what it delivers to one peer.
 */
import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { limitLog } from "../log_limit.ts";
import type { TlsFiles } from "../member/config.ts";
import type { PeerConnection, PeerNetwork, Peers, Timer } from "../ports.ts";
import type { Message } from "../raft/types.ts";
import { watchTlsFiles } from "../tls_files.ts";
import { encodeFrame, FRAME, FrameReader } from "./codec.ts";
import { Inbound } from "./inbound.ts";
import { Outbound } from "./outbound.ts";
import { dial, listen, type PeerListener } from "./socket.ts";

const DESCRIBE_TIMEOUT_MILLIS = 3_000;

class TcpPeers implements Peers {
  readonly #parts: PeerConnection;
  readonly #outbound = new Map<bigint, Outbound>();
  readonly #inbound = new Set<Inbound>();
  readonly #listeners: PeerListener[] = [];
  #stopWatching: () => void = () => {};
  #closed = false;

  constructor(parts: PeerConnection) {
    // Anyone who reaches the port can cause a line.
    this.#parts = { ...parts, log: limitLog(parts.log, () => parts.timer.now()) };
  }

  /** Ports listened on, in the order of the URLs. */
  get ports(): number[] {
    return this.#listeners.map((listener) => listener.port);
  }

  async listen(): Promise<void> {
    const { listenUrls, tls, log } = this.#parts;
    const onSocket = (socket: Socket) => this.#accept(socket);
    const onRefused = (reason: string, address?: string) =>
      log("warn", "a peer was refused", { reason, address });
    for (const url of listenUrls) {
      this.#listeners.push(await listen(url, tls, { onSocket, onRefused }));
    }
    if (tls === null) return;
    this.#stopWatching = watchTlsFiles(tls, this.#parts, (contents) => {
      for (const listener of this.#listeners) listener.setTls(contents);
    });
  }

  send(messages: readonly Message[]): void {
    const byPeer = new Map<bigint, Message[]>();
    for (const message of messages) {
      const list = byPeer.get(message.to);
      if (list === undefined) byPeer.set(message.to, [message]);
      else list.push(message);
    }
    for (const [id, list] of byPeer) {
      const connection = this.#outbound.get(id) ?? this.#callerOf(id);
      connection?.send(list);
    }
  }

  sendSnapshot(message: Message): void {
    this.#outbound.get(message.to)?.sendSnapshot(message);
  }

  addPeer(id: bigint, urls: readonly string[]): void {
    if (this.#closed) return;
    const known = this.#outbound.get(id);
    if (known !== undefined) known.setUrls(urls);
    else this.#outbound.set(id, new Outbound({ id, ...this.#parts }, urls));
  }

  removePeer(id: bigint): void {
    this.#outbound.get(id)?.close();
    this.#outbound.delete(id);
  }

  call(to: bigint, request: Uint8Array): Promise<Uint8Array | null> {
    return this.#outbound.get(to)?.call(request) ?? Promise.resolve(null);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#stopWatching();
    for (const outbound of this.#outbound.values()) outbound.close();
    for (const inbound of this.#inbound) inbound.close();
    for (const listener of this.#listeners) listener.close();
    this.#outbound.clear();
    return Promise.resolve();
  }

  /** A member that joined while this one was away may lead by now, and has to be answered. */
  #callerOf(id: bigint): Inbound | undefined {
    return [...this.#inbound].find(({ peerId }) => peerId === id);
  }

  #accept(socket: Socket): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    const inbound = new Inbound(this.#parts, socket);
    this.#inbound.add(inbound);
    socket.on("close", () => this.#inbound.delete(inbound));
  }
}

/** The network that members use unless they are given another. */
export const tcpNetwork: PeerNetwork = { connect: createTcpPeers, describe: describeCluster };

/**
 * Starts listening for peers.
 * Errors: rejects when an address can't be bound or a certificate file can't be read.
 */
async function createTcpPeers(parts: PeerConnection): Promise<TcpPeers> {
  const peers = new TcpPeers(parts);
  await peers.listen();
  return peers;
}

async function describeCluster(
  urls: readonly string[],
  tls: TlsFiles | null,
  timer: Timer,
): Promise<Uint8Array | null> {
  for (const url of urls) {
    const answer = await describeOnce(url, tls, timer);
    if (answer !== null) return answer;
  }
  return null;
}

function describeOnce(
  url: string,
  tls: TlsFiles | null,
  timer: Timer,
): Promise<Uint8Array | null> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
  const socket = dial(url, tls, () => socket.write(encodeFrame(FRAME.describe)));
  const settle = (answer: Uint8Array | null) => {
    stopTimer();
    resolve(answer);
    socket.destroy();
  };
  const stopTimer = timer.after(DESCRIBE_TIMEOUT_MILLIS, () => settle(null));
  const reader = new FrameReader((type, body) => settle(type === FRAME.describe ? body : null));
  socket.on("data", (chunk: Buffer) => {
    if (!reader.push(chunk)) settle(null);
  });
  socket.on("error", () => settle(null));
  socket.on("close", () => settle(null));
  return promise;
}
