/**
 * The requests of the store's bench as protobuf, and h2load that repeats one of them.
 * In: a key, a value size, connections and streams. Out: message bytes; answers per second.
 * Never: counts an answer that is not a success of HTTP; `checkCall` shows once that gRPC agrees.
 */
import { ProtoWriter } from "../store/mvcc/proto.ts";
import { encodePut, encodeRange, encodeTxn } from "../store/mvcc/request_codec.ts";
import { frameMessage } from "../store/wire/grpc/framing.ts";
import { GrpcChannel } from "../store/wire/grpc/client.ts";
import { requireTool } from "../tests/system/tools.ts";

export const VALUE_BYTES = 256;

export const PATHS = {
  put: "/etcdserverpb.KV/Put",
  range: "/etcdserverpb.KV/Range",
  txn: "/etcdserverpb.KV/Txn",
  compact: "/etcdserverpb.KV/Compact",
  watch: "/etcdserverpb.Watch/Watch",
  leaseGrant: "/etcdserverpb.Lease/LeaseGrant",
  leaseKeepAlive: "/etcdserverpb.Lease/LeaseKeepAlive",
} as const;

const encoder = new TextEncoder();

/** @returns the key of a number, 17 bytes, in the order of numbers */
export function keyOf(number: number): Uint8Array {
  return encoder.encode(`/bench/${String(number).padStart(10, "0")}`);
}

/** @returns a value that does not compress to nothing; the same for the same number */
export function valueOf(number: number): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES);
  let state = (number + 1) * 2654435761 >>> 0;
  for (let i = 0; i < VALUE_BYTES; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    value[i] = state >>> 24;
  }
  return value;
}

function encoded(encode: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter(512);
  encode(writer);
  return writer.finish();
}

export function putMessage(number: number): Uint8Array {
  return encoded((writer) =>
    encodePut(writer, { kind: "put", key: keyOf(number), value: valueOf(number) })
  );
}

export function rangeMessage(number: number, options: { serializable: boolean }): Uint8Array {
  return encoded((writer) =>
    encodeRange(writer, { kind: "range", key: keyOf(number), ...options })
  );
}

/** Every key from `first` to before `end`. */
export function listMessage(first: number, end: number): Uint8Array {
  return encoded((writer) =>
    encodeRange(writer, { kind: "range", key: keyOf(first), rangeEnd: keyOf(end) })
  );
}

/**
 * The shape of a Kubernetes update: compare the key's revision, put, or else read what is there.
 * h2load repeats one message, so the comparison is one that each repetition passes.
 */
export function updateMessage(number: number): Uint8Array {
  const key = keyOf(number);
  return encoded((writer) =>
    encodeTxn(writer, {
      kind: "txn",
      compare: [{ key, target: "mod", result: "greater", value: 0 }],
      success: [{ kind: "put", key, value: valueOf(number) }],
      failure: [{ kind: "range", key }],
    })
  );
}

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly message: Uint8Array;
  readonly connections: number;
  readonly streams: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly done: number;
}

/**
 * Repeats one message for some seconds after one second of warming up.
 * Errors: throws when any answer failed.
 */
export async function runLoad(load: Load): Promise<LoadResult> {
  const body = await Deno.makeTempFile({ prefix: "balsa-bench-" });
  try {
    await Deno.writeFile(body, frameMessage(load.message));
    const { stdout } = await new Deno.Command(requireTool("h2load"), {
      args: [
        ...["-t", "1", "-c", String(load.connections), "-m", String(load.streams)],
        ...["-D", String(load.seconds), "--warm-up-time", "1", "-d", body],
        ...["-H", "content-type: application/grpc", "-H", "te: trailers"],
        `http://127.0.0.1:${load.port}${load.path}`,
      ],
    }).output();
    return parseLoad(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(body);
  }
}

function parseLoad(text: string): LoadResult {
  const perSecond = Number(/^finished in .*?, ([\d.]+) req\/s/m.exec(text)?.[1]);
  const counts = /^requests: .*?(\d+) done, (\d+) succeeded, (\d+) failed/m.exec(text);
  const done = Number(counts?.[1]);
  if (!(perSecond > 0) || counts?.[1] !== counts?.[2]) throw new Error(`h2load:\n${text}`);
  return { perSecond, done };
}

/** A gRPC connection to a member. */
export function connect(port: number): Promise<GrpcChannel> {
  return GrpcChannel.connect({
    address: `127.0.0.1:${port}`,
    now: () => performance.now(),
    after: (delay, callback) => {
      const timer = setTimeout(callback, delay);
      return () => clearTimeout(timer);
    },
    connectTimeoutMillis: 5_000,
  });
}

/** One call. @returns the answer. Errors: throws when the status is not OK. */
export async function call(
  channel: GrpcChannel,
  path: string,
  message: Uint8Array,
): Promise<Uint8Array> {
  const result = await channel.unary(path, message);
  if (result.kind === "message") return result.message;
  throw new Error(`${path}: ${result.status.code} ${result.status.message}`);
}

/** Puts keys `0..count`, many calls at a time. */
export async function fill(port: number, count: number): Promise<void> {
  const channel = await connect(port);
  let next = 0;
  const worker = async () => {
    while (next < count) await call(channel, PATHS.put, putMessage(next++));
  };
  await Promise.all(Array.from({ length: Math.min(count, 256) }, worker));
  channel.close();
}
