/**
 * Exec, attach and port-forward sessions through the runtime's own streaming server.
 * In: the URL that CRI's Exec, Attach or PortForward answered, and the client's streams.
 * Out: bytes pumped both ways, and how the process ended.
 * Never: interprets what passes. Source: the channel.k8s.io protocols v4 and v5 over WebSocket.
 */
import { WebSocket } from "ws";

/** One multiplexed session; absent streams were not asked for. */
export interface SessionStreams {
  readonly stdin?: ReadableStream<Uint8Array>;
  readonly stdout?: WritableStream<Uint8Array>;
  readonly stderr?: WritableStream<Uint8Array>;
  readonly resize?: AsyncIterable<{ readonly width: number; readonly height: number }>;
}

export type SessionOutcome =
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "failed"; readonly message: string };

const PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const CHANNEL_STDIN = 0;
const CHANNEL_STDOUT = 1;
const CHANNEL_STDERR = 2;
const CHANNEL_ERROR = 3;
const CHANNEL_RESIZE = 4;
const PORT_HIGH_BYTES = 256 * 1024;
const decoder = new TextDecoder();
/** v5 only: the byte after it names the channel that its sender closes. */
const CHANNEL_CLOSE = 255;

/**
 * Runs one session to its end.
 * @param url http(s) URL of the streaming server
 */
export async function runSession(url: string, streams: SessionStreams): Promise<SessionOutcome> {
  const socket = await open(url, PROTOCOLS);
  const writers = new Map<number, WritableStreamDefaultWriter<Uint8Array>>();
  if (streams.stdout) writers.set(CHANNEL_STDOUT, streams.stdout.getWriter());
  if (streams.stderr) writers.set(CHANNEL_STDERR, streams.stderr.getWriter());
  const finished = receive(socket, writers);
  if (streams.stdin) void pumpStdin(socket, streams.stdin);
  if (streams.resize) void pumpResize(socket, streams.resize);
  try {
    return await finished;
  } finally {
    socket.close();
    await Promise.allSettled([...writers.values()].map((writer) => writer.close()));
  }
}

function open(url: string, protocols: readonly string[]): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, "ws"), [...protocols]);
    socket.binaryType = "nodebuffer";
    socket.once("open", () => resolve(socket));
    socket.once("error", (error: Error) => reject(error));
  });
}

/** Passes output on, in order, pausing the socket while a reader is slow. */
function receive(
  socket: WebSocket,
  writers: ReadonlyMap<number, WritableStreamDefaultWriter<Uint8Array>>,
): Promise<SessionOutcome> {
  return new Promise((resolve) => {
    let outcome: SessionOutcome = { kind: "exited", exitCode: 0 };
    let pending = Promise.resolve();
    socket.on("message", (data: Uint8Array) => {
      const channel = data[0];
      const payload = data.subarray(1);
      if (channel === CHANNEL_ERROR) {
        outcome = parseOutcome(new TextDecoder().decode(payload));
        return;
      }
      const writer = writers.get(channel);
      if (writer === undefined || payload.length === 0) return;
      socket.pause();
      pending = pending.then(() => writer.write(payload.slice())).catch(() => {})
        .then(() => socket.resume());
    });
    socket.once("error", (error: Error) => {
      outcome = { kind: "failed", message: error.message };
    });
    socket.once("close", () => void pending.then(() => resolve(outcome)));
  });
}

/** Reads the v4 error channel: a Status whose NonZeroExitCode cause carries the exit code. */
export function parseOutcome(text: string): SessionOutcome {
  type Cause = { reason?: string; message?: string };
  type Answer = { status?: string; message?: string; details?: { causes?: Cause[] } };
  let answer: Answer;
  try {
    answer = JSON.parse(text);
  } catch {
    return text === "" ? { kind: "exited", exitCode: 0 } : { kind: "failed", message: text };
  }
  if (answer.status === "Success") return { kind: "exited", exitCode: 0 };
  const exit = answer.details?.causes?.find((cause) => cause.reason === "ExitCode");
  if (exit) return { kind: "exited", exitCode: Number(exit.message) };
  return { kind: "failed", message: answer.message ?? "the session failed without a reason" };
}

async function pumpStdin(socket: WebSocket, stdin: ReadableStream<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of stdin) {
      if (socket.readyState !== socket.OPEN) return;
      await send(socket, CHANNEL_STDIN, chunk);
    }
    // v4 has no way to close one channel; the process then sees no end of its input.
    if (socket.protocol === PROTOCOLS[0] && socket.readyState === socket.OPEN) {
      await send(socket, CHANNEL_CLOSE, Uint8Array.of(CHANNEL_STDIN));
    }
  } catch {
    // The client went away; the session ends when the runtime notices or the process exits.
    socket.close();
  }
}

async function pumpResize(
  socket: WebSocket,
  sizes: NonNullable<SessionStreams["resize"]>,
): Promise<void> {
  const encoder = new TextEncoder();
  for await (const { width, height } of sizes) {
    if (socket.readyState !== socket.OPEN) return;
    const text = JSON.stringify({ Width: width, Height: height });
    await send(socket, CHANNEL_RESIZE, encoder.encode(text));
  }
}

function send(socket: WebSocket, channel: number, payload: Uint8Array): Promise<void> {
  const frame = new Uint8Array(payload.length + 1);
  frame[0] = channel;
  frame.set(payload, 1);
  return new Promise((resolve, reject) =>
    socket.send(frame, (error?: Error | null) => error ? reject(error) : resolve())
  );
}

/** How long a pod may stay silent after its client has said everything. */
const LINGER_MILLIS = 10_000;

/**
 * One connection to a port of a pod, through the runtime.
 * The protocol has no end of one direction: when the client has said everything, the connection
 * stays until the pod ends it, or has been silent for ten seconds.
 * Errors: rejects when the runtime refuses; a failure later ends both streams.
 */
export async function openPort(
  url: string,
  port: number,
): Promise<{ readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> }> {
  const target = new URL(url);
  target.searchParams.set("port", String(port));
  const socket = await open(target.href, ["v4.channel.k8s.io"]);
  const linger = new Linger(() => socket.close());
  socket.once("close", () => linger.stop());
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => send(socket, CHANNEL_DATA, chunk),
    close: () => linger.begin(),
    abort: () => socket.terminate(),
  });
  return { readable: readPort(socket, linger), writable };
}

const CHANNEL_DATA = 0;

/** Closes what has been silent for a while, once it was told to watch. */
class Linger {
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #onSilence: () => void;

  constructor(onSilence: () => void) {
    this.#onSilence = onSilence;
  }

  begin(): void {
    this.#timer = setTimeout(this.#onSilence, LINGER_MILLIS);
  }

  /** Something was heard. */
  touch(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.begin();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** What the pod says; the socket waits for a slow reader. */
function readPort(socket: WebSocket, linger: Linger): ReadableStream<Uint8Array> {
  // The first message on each channel repeats the port number in two bytes.
  const greeted = new Set<number>();
  let isEnded = false;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const fail = (error: Error) => {
        if (isEnded) return;
        isEnded = true;
        controller.error(error);
      };
      socket.on("message", (data: Uint8Array) => {
        linger.touch();
        const channel = data[0];
        if (!greeted.has(channel)) return void greeted.add(channel);
        if (isEnded || data.length === 1) return;
        if (channel !== CHANNEL_DATA) return fail(new Error(decoder.decode(data.subarray(1))));
        controller.enqueue(data.slice(1));
        if ((controller.desiredSize ?? 1) <= 0) socket.pause();
      });
      socket.once("close", () => {
        if (isEnded) return;
        isEnded = true;
        controller.close();
      });
      socket.once("error", fail);
    },
    pull: () => socket.resume(),
    cancel: () => {
      isEnded = true;
      socket.close();
    },
  }, { highWaterMark: PORT_HIGH_BYTES, size: (chunk) => chunk.length });
}
