/**
 * The bytes below a connection: Deno's TCP and unix sockets and node's TLS sockets, as one shape.
 * In: an accepted or dialled socket. Out: reads pushed to `onRead`, writes resolved when the
 * socket has taken them, who the peer is.
 * Never: parses; buffers more than the one read it hands over.
 */
import type { TLSSocket } from "node:tls";
import type { Buffer } from "node:buffer";

/** Who is at the other end. */
export interface PeerIdentity {
  /** `host:port`, or the path of a unix socket. */
  readonly address: string;
  readonly tls: boolean;
  /**
   * Common name of the client certificate; only set when the certificate verified against the
   * configured authorities and the peer proved that it holds the key.
   */
  readonly commonName: string | null;
  /** Organizations (`O`) of that certificate. */
  readonly organizations: readonly string[];
  /** DER of that certificate. */
  readonly certificate: Uint8Array | null;
  /** What ALPN agreed on; empty without TLS. */
  readonly alpn: string;
}

export interface ByteSocket {
  readonly peer: PeerIdentity;
  /**
   * Starts reading. `onRead` may keep nothing of the slice; while the promise it returned is
   * pending no further read is made. `onEnd` runs once, when the peer is gone.
   */
  start(onRead: (bytes: Uint8Array) => void | Promise<void>, onEnd: () => void): void;
  /** Resolves when the socket took the bytes; rejects when it is gone. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Ends after what was written. */
  close(): void;
}

/** What an idle connection holds; one whose read fills it goes on with the larger buffer. */
const FIRST_READ_BYTES = 2 * 1024;
const READ_BYTES = 64 * 1024;
/** What a TLS socket encrypts at once; it copies whatever lies beyond anew for each such part. */
const TLS_WRITE_BYTES = 48 * 1024;

const ANONYMOUS = { commonName: null, organizations: [], certificate: null } as const;

export function plainPeer(address: string): PeerIdentity {
  return { ...ANONYMOUS, address, tls: false, alpn: "" };
}

/** Wraps a plain TCP or unix connection. */
export function socketOfConn(conn: Deno.Conn): ByteSocket {
  const remote = conn.remoteAddr;
  const address = remote.transport === "tcp"
    ? `${remote.hostname}:${remote.port}`
    : remote.transport === "unix"
    ? remote.path
    : "";
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    conn.close();
  };
  if (remote.transport === "tcp") (conn as Deno.TcpConn).setNoDelay(true);
  return {
    peer: plainPeer(address),
    start: (onRead, onEnd) => void readLoop(conn, onRead).then(onEnd),
    async write(bytes) {
      let at = 0;
      while (at < bytes.length) {
        at += await conn.write(at === 0 ? bytes : bytes.subarray(at));
      }
    },
    close,
  };
}

async function readLoop(
  conn: Deno.Conn,
  onRead: (bytes: Uint8Array) => void | Promise<void>,
): Promise<void> {
  let buffer = new Uint8Array(FIRST_READ_BYTES);
  for (;;) {
    let count: number | null;
    try {
      count = await conn.read(buffer);
    } catch {
      return;
    }
    if (count === null) return;
    const busy = onRead(buffer.subarray(0, count));
    if (busy !== undefined) await busy;
    if (count === FIRST_READ_BYTES && buffer.length < READ_BYTES) {
      buffer = new Uint8Array(READ_BYTES);
    }
  }
}

/** Wraps a TLS socket whose handshake is done. */
export function socketOfTls(socket: TLSSocket): ByteSocket {
  let ended = false;
  socket.setNoDelay(true);
  return {
    peer: tlsPeer(socket),
    start(onRead, onEnd) {
      const finish = () => {
        if (ended) return;
        ended = true;
        onEnd();
      };
      socket.on("data", (chunk: Buffer) => {
        const busy = onRead(chunk);
        if (busy === undefined) return;
        socket.pause();
        busy.then(() => socket.resume());
      });
      socket.on("end", finish);
      socket.on("close", finish);
      socket.on("error", finish);
    },
    async write(bytes) {
      for (let at = 0; at < bytes.length; at += TLS_WRITE_BYTES) {
        await writeTls(socket, bytes.subarray(at, at + TLS_WRITE_BYTES));
      }
    },
    close: () => socket.end(() => socket.destroy()),
  };
}

function writeTls(socket: TLSSocket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed) return reject(new Error("socket closed"));
    // The connection reuses its buffer after the callback, which is when TLS has copied it.
    socket.write(bytes, (error) => error ? reject(error) : resolve());
  });
}

/**
 * Reads the peer of a TLS socket. A subject counts only when the chain verified: without that the
 * peer may have shown any certificate, also one whose key it does not hold.
 */
export function tlsPeer(socket: TLSSocket): PeerIdentity {
  const address = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
  const alpn = typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "";
  if (socket.authorized !== true) return { ...ANONYMOUS, address, tls: true, alpn };
  const certificate = socket.getPeerCertificate();
  if (!certificate || !certificate.raw || !certificate.subject) {
    return { ...ANONYMOUS, address, tls: true, alpn };
  }
  const subject = certificate.subject as unknown as Record<string, string | string[] | undefined>;
  return {
    address,
    tls: true,
    alpn,
    commonName: listOf(subject.CN)[0] ?? "",
    organizations: listOf(subject.O),
    certificate: new Uint8Array(certificate.raw),
  };
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
