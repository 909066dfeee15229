/**
 * Exec, attach and port-forward sessions at a streaming server: a runtime's, a kubelet's.
 * In: the URL that CRI's Exec, Attach or PortForward answered, or a kubelet's; a client's streams.
 * Out: bytes pumped both ways, and how the process ended.
 * Never: interprets what passes. SPDY, because the runtimes' WebSockets can't tell a process that
 * its input has ended. Source: the v4.channel.k8s.io and portforward.k8s.io protocols
 * (cri-streaming, v1.36).
 */
import { type DialOptions, dialSpdy } from "./dial.ts";
import type { SpdySession, SpdyStream } from "./session.ts";
import { EXEC_SPDY_PROTOCOL } from "./serve_exec.ts";
import { PORT_FORWARD_PROTOCOL } from "./serve_port_forward.ts";
import type { ByteDuplex, ExecOutcome, ExecStreams } from "./streams.ts";

/**
 * Runs one session to its end.
 * @param url http(s) URL of the streaming server
 * Errors: rejects when the server refuses.
 */
export async function runSession(
  url: string,
  streams: ExecStreams,
  options: DialOptions = {},
): Promise<ExecOutcome> {
  const session = await dialSpdy(url, EXEC_SPDY_PROTOCOL, options);
  const open = (type: string) => session.open(new Map([["streamtype", type]]));
  try {
    const outcome = readText(open("error"));
    const outputs: Promise<void>[] = [];
    if (streams.stdin) void pumpInput(open("stdin"), streams.stdin, session);
    if (streams.stdout) outputs.push(pumpOutput(open("stdout"), streams.stdout));
    if (streams.stderr) outputs.push(pumpOutput(open("stderr"), streams.stderr));
    if (streams.resize) void pumpResize(open("resize"), streams.resize);
    await Promise.all(outputs);
    return parseOutcome(await outcome);
  } finally {
    session.close();
  }
}

async function readText(stream: SpdyStream): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const bytes of stream.readable) text += decoder.decode(bytes, { stream: true });
  } catch {
    // A stream that was reset has said what it had to.
  }
  return text;
}

/** The end of the client's input is the end of the process's. */
async function pumpInput(
  stream: SpdyStream,
  stdin: ReadableStream<Uint8Array>,
  session: SpdySession,
): Promise<void> {
  try {
    await stdin.pipeTo(stream.writable, { preventCancel: true });
  } catch {
    // Either the process has closed its input, which is no end, or the client is gone.
    const reader = stdin.locked ? null : stdin.getReader();
    const isGone = await reader?.read().then(() => false, () => true);
    if (isGone) session.close();
    else await reader?.cancel().catch(() => {});
  }
}

async function pumpOutput(
  stream: SpdyStream,
  output: WritableStream<Uint8Array>,
): Promise<void> {
  try {
    await stream.readable.pipeTo(output);
  } catch {
    // The client went away, or the server did; the outcome tells.
  }
}

async function pumpResize(
  stream: SpdyStream,
  sizes: NonNullable<ExecStreams["resize"]>,
): Promise<void> {
  const encoder = new TextEncoder();
  const writer = stream.writable.getWriter();
  try {
    for await (const { width, height } of sizes) {
      await writer.write(encoder.encode(JSON.stringify({ Width: width, Height: height }) + "\n"));
    }
    await writer.close();
  } catch {
    // The session ended first.
  }
}

/** Reads the v4 error channel: a Status whose NonZeroExitCode cause carries the exit code. */
export function parseOutcome(text: string): ExecOutcome {
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

/**
 * One connection to a port of a pod, through its server; each direction ends by itself.
 * Errors: rejects when the server refuses; a failure later ends the readable with its message.
 */
export async function openPort(
  url: string,
  port: number,
  options: DialOptions = {},
): Promise<ByteDuplex> {
  const session = await dialSpdy(url, PORT_FORWARD_PROTOCOL, options);
  const open = (streamtype: string) =>
    session.open(new Map(Object.entries({ streamtype, port: String(port), requestid: "0" })));
  const failure = readText(open("error"));
  const data = open("data");
  const reader = data.readable.getReader();
  const end = async (fallback: Error | null): Promise<Error | null> => {
    const text = await failure;
    session.close();
    return text === "" ? fallback : new Error(text);
  };
  const readable = new ReadableStream<Uint8Array>({
    async pull(controller) {
      let cause: Error | null = null;
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
      } catch (error) {
        cause = error as Error;
      }
      const error = await end(cause);
      if (error === null) controller.close();
      else controller.error(error);
    },
    cancel: () => session.close(),
  });
  return { readable, writable: data.writable };
}
