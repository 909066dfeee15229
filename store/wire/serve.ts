/**
 * Serves the etcd v3 API of a member on TCP, TLS and unix sockets.
 * In: URLs, TLS files' contents, the member, a timer and a log. Out: what is bound, and `close`.
 * gRPC and plain HTTP (health, metrics, version) share each port, as etcd's do.
 * Never: reads files; trusts a certificate that did not verify.
 * Source: etcd's embed package (URL forms, flag meanings).
 */
import { limitLog } from "../log_limit.ts";
import type { Log, Timer } from "../ports.ts";
import { etcdMethods } from "./etcd/services.ts";
import type { ServiceOptions } from "./etcd/context.ts";
import type { MemberApi } from "./etcd/member_api.ts";
import { plainHttpHandler, type PlainHttpOptions } from "./etcd/plain_http.ts";
import { GrpcServer } from "./grpc/server.ts";
import { answerPlain, Http1Connection } from "./http1.ts";
import { Http2Server, type Listening, type TlsServerConfig } from "./http2/server.ts";

/** etcd takes messages this much larger than a request, for their other fields. */
const MESSAGE_OVERHEAD_BYTES = 512 * 1024;
const DEFAULT_MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;

export interface ServeConfig extends PlainHttpOptions {
  /** `http://host:port`, `https://host:port`, `unix://path`; etcd's `--listen-client-urls`. */
  readonly listenClientUrls: readonly string[];
  /** Plain HTTP alone, for scrapers; etcd's `--listen-metrics-urls`. */
  readonly listenMetricsUrls?: readonly string[];
  /** Needed by `https` URLs. `requireCert` is etcd's `--client-cert-auth`. */
  readonly tls?: TlsServerConfig;
  /** Bytes; etcd's `--max-request-bytes`. Default 1.5 MiB. */
  readonly maxRequestBytes?: number;
  /** etcd's `--max-txn-ops`. Default 128. */
  readonly maxTxnOps?: number;
  /** etcd's `--max-concurrent-streams`. Default 100,000. */
  readonly maxConcurrentStreams?: number;
}

export interface ServePorts {
  readonly timer: Timer;
  readonly log: Log;
}

export interface Serving {
  /** Ports bound, in the order of `listenClientUrls`; 0 for unix sockets. */
  readonly ports: readonly number[];
  /** New certificates for new connections on every TLS port. */
  setTls(tls: TlsServerConfig): void;
  /** Lets calls end for up to `graceMillis` (default 1,000), then closes. */
  close(graceMillis?: number): Promise<void>;
}

/**
 * Starts serving.
 *
 * Errors: rejects when a URL is malformed or can't be bound; nothing stays open then.
 */
export async function serveEtcd(
  config: ServeConfig,
  member: MemberApi,
  ports: ServePorts,
): Promise<Serving> {
  const maxRequestBytes = config.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES;
  const options: ServiceOptions = {
    maxRequestBytes,
    maxTxnOps: config.maxTxnOps ?? 128,
    certificateUsers: config.tls?.requireCert === true,
  };
  const grpc = new GrpcServer(etcdMethods(member, options), {
    maxMessageBytes: maxRequestBytes + MESSAGE_OVERHEAD_BYTES,
    after: (delay, callback) => ports.timer.after(delay, callback),
  });
  const handler = plainHttpHandler(member, config);
  const log = limitLog(ports.log, () => ports.timer.now());
  const refused = (detail: string, address?: string) =>
    log("warn", "a client's connection was refused", { detail, address });
  const server = new Http2Server({
    now: () => ports.timer.now(),
    briefOf: (headers, peer) => grpc.briefOf(headers, peer),
    onStream: (stream, peer) => {
      const isGrpc = (stream.headers.get("content-type") ?? "").startsWith("application/grpc");
      if (isGrpc) grpc.serve(stream, peer);
      else void answerPlain(stream, handler);
    },
    onHttp1: (socket) => new Http1Connection(socket, handler, refused),
    onSocketError: refused,
    maxConcurrentStreams: config.maxConcurrentStreams ?? 100_000,
    streamWindow: maxRequestBytes + MESSAGE_OVERHEAD_BYTES,
  });
  const listening: Listening[] = [];
  try {
    for (const url of [...config.listenClientUrls, ...config.listenMetricsUrls ?? []]) {
      listening.push(await listen(server, url, config.tls));
    }
  } catch (error) {
    await server.shutdown(0);
    throw error;
  }
  return {
    ports: listening.slice(0, config.listenClientUrls.length).map(({ port }) => port),
    setTls: (tls) => listening.forEach((one) => one.setTls(tls)),
    close: (graceMillis = 1000) => server.shutdown(graceMillis),
  };
}

function listen(
  server: Http2Server,
  url: string,
  tls: TlsServerConfig | undefined,
): Listening | Promise<Listening> {
  const address = parseListenUrl(url);
  if (address.kind === "unix") return server.listenUnix(address.path);
  if (address.kind === "http") return server.listenTcp(address);
  if (tls === undefined) throw new Error(`${url} needs a certificate and a key`);
  return server.listenTls(address, tls);
}

type ListenAddress =
  | { readonly kind: "http" | "https"; readonly hostname: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Errors: throws an `Error` that names the URL. */
export function parseListenUrl(url: string): ListenAddress {
  const unix = /^unixs?:\/\/(.+)$/.exec(url);
  if (unix !== null) return { kind: "unix", path: unix[1] };
  const match = /^(https?):\/\/(\[[^\]]+\]|[^:/\s]*):(\d{1,5})\/?$/.exec(url);
  if (match === null || Number(match[3]) > 65535) {
    throw new Error(
      `listen URL must be http://host:port, https://host:port or unix://path: ${url}`,
    );
  }
  const hostname = match[2].replace(/^\[|\]$/g, "");
  return {
    kind: match[1] === "https" ? "https" : "http",
    hostname: hostname === "" ? "0.0.0.0" : hostname,
    port: Number(match[3]),
  };
}
