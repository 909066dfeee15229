/**
 * An exec or attach session over SPDY: one stream for each of stdin, stdout, stderr, errors, sizes.
 * In: a link and which streams were asked for. Out: the streams once all are there, and how to end.
 * Never: starts before the client has opened every stream that it asked for.
 * Source: the v4.channel.k8s.io protocol (client-go tools/remotecommand/v4.go), v1.36.
 */
import { type Link, SpdySession, type SpdyStream } from "./session.ts";
import {
  type ExecRequest,
  type ExecSession,
  type ExecStreams,
  SizeQueue,
  statusOf,
} from "./streams.ts";

export const EXEC_SPDY_PROTOCOL = "v4.channel.k8s.io";

/** How long a client may take to open its streams. */
const OPEN_TIMEOUT_MILLIS = 30_000;

export interface ExecSpdyOptions {
  readonly link: Link;
  readonly wanted: ExecRequest;
  /** @returns a function that stops the timer */
  readonly after: (delayMillis: number, callback: () => void) => () => void;
}

/** Errors: rejects when the client goes, or does not open its streams in time. */
export async function openSpdyExec(options: ExecSpdyOptions): Promise<ExecSession> {
  const { wanted, link } = options;
  const names = expectedStreams(wanted);
  const found = new Map<string, SpdyStream>();
  const all = Promise.withResolvers<void>();
  const session = new SpdySession({
    link,
    side: "server",
    onStream: (stream) => {
      const name = stream.headers.get("streamtype") ?? "";
      if (!names.includes(name) || found.has(name)) return false;
      found.set(name, stream);
      if (found.size === names.length) all.resolve();
      return true;
    },
  });
  const stopTimer = options.after(OPEN_TIMEOUT_MILLIS, () => {
    all.reject(new Error("timed out waiting for client to create streams"));
  });
  void session.done.then(() => all.reject(new Error("the client went away")));
  try {
    await all.promise;
  } catch (error) {
    session.close();
    throw error;
  } finally {
    stopTimer();
  }
  return sessionOf(session, found);
}

function expectedStreams(wanted: ExecRequest): readonly string[] {
  const names = ["error"];
  if (wanted.stdin) names.push("stdin");
  if (wanted.stdout) names.push("stdout");
  // A terminal has one output, and a size.
  if (wanted.stderr && !wanted.tty) names.push("stderr");
  if (wanted.tty) names.push("resize");
  return names;
}

function sessionOf(session: SpdySession, found: ReadonlyMap<string, SpdyStream>): ExecSession {
  const sizes = new SizeQueue();
  const resize = found.get("resize");
  if (resize !== undefined) void readSizes(resize, sizes);
  const stdin = found.get("stdin")?.readable;
  const stdout = found.get("stdout")?.writable;
  const stderr = found.get("stderr")?.writable;
  const streams: ExecStreams = {
    ...(stdin === undefined ? {} : { stdin }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
    ...(resize === undefined ? {} : { resize: sizes }),
  };
  return {
    streams,
    finish(outcome) {
      sizes.end();
      void sayGoodbye(session, found, JSON.stringify(statusOf(outcome)));
    },
  };
}

async function sayGoodbye(
  session: SpdySession,
  found: ReadonlyMap<string, SpdyStream>,
  status: string,
): Promise<void> {
  try {
    for (const name of ["stdout", "stderr"]) {
      const writable = found.get(name)?.writable;
      // The kubelet closes them where the session ran at all.
      if (writable !== undefined && !writable.locked) await writable.close().catch(() => {});
    }
    const writer = found.get("error")!.writable.getWriter();
    await writer.write(new TextEncoder().encode(status));
    await writer.close();
  } catch {
    // The client did not wait for the last word.
  }
  session.close();
}

/** Sizes come as JSON values, one a line. */
async function readSizes(stream: SpdyStream, sizes: SizeQueue): Promise<void> {
  const encoder = new TextEncoder();
  try {
    let rest = "";
    for await (const text of stream.readable.pipeThrough(new TextDecoderStream() as Decoder)) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) sizes.push(encoder.encode(line));
    }
  } catch {
    // The session's end is told elsewhere.
  }
}

type Decoder = ReadableWritablePair<string, Uint8Array>;
