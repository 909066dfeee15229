/**
 * Port-forward sessions: pairs of streams, one for data and one for errors, each a connection to
 * a port of the pod.
 * In: a SPDY link and a way to connect. Out: bytes both ways until either side is done.
 * Never: lets one failed connection end the others.
 * Source: portforward.k8s.io (cri-streaming pkg/streaming/portforward/httpstream.go), v1.36.
 */
import { type Link, SpdySession, type SpdyStream } from "./session.ts";
import type { ByteDuplex } from "./streams.ts";

export const PORT_FORWARD_PROTOCOL = "portforward.k8s.io";

/** How long one stream of a pair waits for the other. */
const PAIR_TIMEOUT_MILLIS = 30_000;

export interface PortForwardOptions {
  readonly link: Link;
  readonly connect: (port: number) => Promise<ByteDuplex>;
  /** For messages: `error forwarding port 80 to pod web, uid u: …`. */
  readonly pod: { readonly name: string; readonly uid: string };
  /** @returns a function that stops the timer */
  readonly after: (delayMillis: number, callback: () => void) => () => void;
}

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  readonly stopTimer: () => void;
}

/** Serves one session. @returns the session; `done` resolves when it has ended */
export function servePortForward(options: PortForwardOptions): SpdySession {
  const pairs = new Map<string, Pair>();
  const onStream = (stream: SpdyStream): boolean => {
    const port = portOf(stream);
    const type = stream.headers.get("streamtype");
    if (port === null || (type !== "data" && type !== "error")) return false;
    const id = requestIdOf(stream, type);
    const pair = pairs.get(id) ?? makePair(pairs, id, options);
    if (pair[type] !== undefined) return false;
    pair[type] = stream;
    if (pair.data !== undefined && pair.error !== undefined) {
      pairs.delete(id);
      pair.stopTimer();
      void forward(options, { data: pair.data, error: pair.error, port });
    }
    return true;
  };
  return new SpdySession({ link: options.link, side: "server", onStream });
}

function makePair(pairs: Map<string, Pair>, id: string, options: PortForwardOptions): Pair {
  const stopTimer = options.after(PAIR_TIMEOUT_MILLIS, () => {
    pairs.delete(id);
    pair.data?.reset();
    pair.error?.reset();
  });
  const pair: Pair = { stopTimer };
  pairs.set(id, pair);
  return pair;
}

function portOf(stream: SpdyStream): number | null {
  const text = stream.headers.get("port") ?? "";
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : null;
}

/** Old clients number no requests; theirs are the streams n and n + 2. */
function requestIdOf(stream: SpdyStream, type: "data" | "error"): string {
  const id = stream.headers.get("requestid");
  if (id) return id;
  return String(type === "error" ? stream.id : stream.id - 2);
}

async function forward(
  options: PortForwardOptions,
  { data, error, port }: { data: SpdyStream; error: SpdyStream; port: number },
): Promise<void> {
  try {
    const remote = await options.connect(port);
    // The client's end of input is the pod's; the pod's end is the end of all.
    const upload = data.readable.pipeTo(remote.writable).catch(() => {});
    await remote.readable.pipeTo(data.writable);
    await error.writable.close().catch(() => {});
    void upload;
  } catch (cause) {
    const { name, uid } = options.pod;
    const text = `error forwarding port ${port} to pod ${name}, uid ${uid}: ${messageOf(cause)}`;
    const writer = error.writable.getWriter();
    await writer.write(new TextEncoder().encode(text)).catch(() => {});
    await writer.close().catch(() => {});
    data.reset();
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
