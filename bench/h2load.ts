/**
 * Runs h2load and reads what it found.
 * In: a URL, connections, streams, headers, a body. Out: requests per second, latency, bytes.
 * Never: hides a failed request; a run with failures throws. Source: h2load(1) of nghttp2.
 */
import { requireTool } from "../tests/system/tools.ts";

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  /** Concurrent streams of each connection. */
  readonly streams: number;
  /** How many requests; or, with `seconds`, for how long. */
  readonly requests?: number;
  readonly seconds?: number;
  readonly headers?: readonly string[];
  /** Path of a file that is sent as body. */
  readonly bodyFile?: string;
  readonly http1?: boolean;
  /** Streams that never end count as failed; for watches that is as it should be. */
  readonly allowFailures?: boolean;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  /** Milliseconds from request to answer. */
  readonly meanMillis: number;
  readonly maxMillis: number;
  /** 99 of 100 answers came sooner; 0 where none came. */
  readonly p99Millis: number;
  /** Body bytes received. */
  readonly dataBytes: number;
  readonly seconds: number;
}

/** Errors: rejects when h2load fails or any request did. */
export async function h2load(options: LoadOptions): Promise<LoadResult> {
  const log = await Deno.makeTempFile({ prefix: "balsa-h2load-" });
  try {
    return await runLogged(options, log);
  } finally {
    await Deno.remove(log);
  }
}

async function runLogged(options: LoadOptions, log: string): Promise<LoadResult> {
  const { url, connections, streams, requests, seconds, bodyFile } = options;
  const args = [
    ...["-c", String(connections), "-m", String(streams), "-t", "1", `--log-file=${log}`],
    ...(seconds === undefined ? ["-n", String(requests)] : ["-D", String(seconds)]),
    ...(options.http1 ? ["--h1"] : []),
    ...(bodyFile === undefined ? [] : ["-d", bodyFile]),
    ...(options.headers ?? []).flatMap((header) => ["-H", header]),
    url,
  ];
  const output = await new Deno.Command(requireTool("h2load"), { args }).output();
  const text = new TextDecoder().decode(output.stdout);
  if (!output.success) throw new Error(`h2load failed: ${new TextDecoder().decode(output.stderr)}`);
  const status = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(text);
  const failed = /(\d+) failed, (\d+) errored, (\d+) timeout/.exec(text);
  const bad = [status?.[3], status?.[4], failed?.[1]].some((count) => Number(count ?? 1) > 0);
  if (bad && !options.allowFailures) throw new Error(`requests failed:\n${text}`);
  const rate = /finished in ([\d.]+)(m?s|us), ([\d.]+) req\/s/.exec(text);
  const time = /time for request:\s+(\S+)\s+(\S+)\s+(\S+)/.exec(text);
  return {
    requestsPerSecond: Number(rate?.[3] ?? 0),
    meanMillis: millisOf(time?.[3]),
    maxMillis: millisOf(time?.[2]),
    p99Millis: await p99Of(log),
    dataBytes: Number(/(\d+)\) data/.exec(text)?.[1] ?? 0),
    seconds: millisOf(`${rate?.[1] ?? 0}${rate?.[2] ?? "s"}`) / 1000,
  };
}

/** @param log of h2load: start, status and microseconds of each request */
async function p99Of(log: string): Promise<number> {
  const micros: number[] = [];
  for (const line of (await Deno.readTextFile(log)).split("\n")) {
    const fields = line.split("\t");
    if (fields.length >= 3) micros.push(Number(fields[2]));
  }
  micros.sort((a, b) => a - b);
  return (micros[Math.floor(micros.length * 0.99)] ?? 0) / 1000;
}

/** `1.5s`, `20.3ms`, `800us` to milliseconds. */
function millisOf(text = "0s"): number {
  const match = /^([\d.]+)(us|ms|s|m)$/.exec(text);
  const scale = { us: 0.001, ms: 1, s: 1000, m: 60_000 };
  return Number(match?.[1] ?? 0) * scale[(match?.[2] ?? "s") as keyof typeof scale];
}
