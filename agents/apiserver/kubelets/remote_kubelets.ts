/**
 * The kubelets of other machines, over HTTPS: logs, figures, sessions on upgraded connections.
 * In: the server's client certificate, how to choose an address; a request with its node.
 * Out: what the kubelet answers. Never: asks a node that tells no port of a kubelet, such as a
 * hollow one; keeps a connection.
 * Source: pkg/kubelet/client, pkg/registry/core/pod/strategy.go (v1.36).
 */
import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { KubeObject } from "../../api/meta.ts";
import { ApiError, badRequest, internalError } from "../../api/status.ts";
import { openPort, runSession } from "../../spdy/client_sessions.ts";
import { type DialOptions, tlsOptions } from "../../spdy/dial.ts";
import type {
  ByteDuplex,
  ExecOutcome,
  ExecStreams,
  KubeletPort,
  KubeletRequest,
} from "../ports.ts";

/** How the server shows itself to kubelets, and finds them. */
export interface KubeletClientConfig {
  /** PEM of the certificate to show; null = one of the cluster's own authority. */
  readonly client: { readonly certificate: string; readonly key: string } | null;
  /** PEM of the authority of kubelets' certificates; null = any certificate is taken. */
  readonly ca: string | null;
  /** Kinds of a node's addresses; the first that it has is taken. */
  readonly addressTypes: readonly string[];
}

/** As the usual installers of upstream set them: names of machines resolve in few networks. */
export const DEFAULT_KUBELET_CLIENT: KubeletClientConfig = {
  client: null,
  ca: null,
  addressTypes: ["InternalIP", "ExternalIP", "Hostname"],
};

export const ADDRESS_TYPES: readonly string[] = [
  "Hostname",
  "InternalDNS",
  "InternalIP",
  "ExternalDNS",
  "ExternalIP",
];

const CONNECT_TIMEOUT_MILLIS = 5_000;
/** Longest refusal that is passed on. */
const REFUSAL_LIMIT = 4096;
/** Far more than a node full of pods has to tell. */
const METRICS_LIMIT = 4 * 1024 * 1024;
const METRICS_TIMEOUT_MILLIS = 10_000;

export class RemoteKubelets implements KubeletPort {
  readonly #dial: DialOptions;
  readonly #addressTypes: readonly string[];

  /** @param pair what the server shows */
  constructor(
    { ca, addressTypes }: Pick<KubeletClientConfig, "ca" | "addressTypes">,
    pair: { readonly certificate: string; readonly key: string },
  ) {
    this.#dial = { peer: "kubelet", tls: { cert: pair.certificate, key: pair.key, ca } };
    this.#addressTypes = addressTypes;
  }

  async logs(request: KubeletRequest, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const url = this.#url(request, "containerLogs", request.container);
    for (const [name, value] of request.query) {
      if (name !== "container") url.searchParams.append(name, value);
    }
    const answer = await get(url, this.#dial, signal);
    if (answer.statusCode === 200) return Readable.toWeb(answer) as ReadableStream<Uint8Array>;
    throw refusal(answer.statusCode ?? 0, await textOf(answer, REFUSAL_LIMIT));
  }

  exec(request: KubeletRequest, streams: ExecStreams): Promise<ExecOutcome> {
    return this.#session("exec", request, streams);
  }

  attach(request: KubeletRequest, streams: ExecStreams): Promise<ExecOutcome> {
    return this.#session("attach", request, streams);
  }

  async portForward(request: KubeletRequest, port: number): Promise<ByteDuplex> {
    return await openPort(this.#url(request, "portForward", "").href, port, this.#dial);
  }

  async resourceMetrics(nodeName: string, node: KubeObject | null): Promise<string> {
    const url = new URL(`${kubeletBase(nodeName, node, this.#addressTypes)}/metrics/resource`);
    const answer = await get(url, this.#dial, AbortSignal.timeout(METRICS_TIMEOUT_MILLIS));
    const isGood = answer.statusCode === 200;
    const text = await textOf(answer, isGood ? METRICS_LIMIT : REFUSAL_LIMIT);
    if (isGood) return text;
    throw refusal(answer.statusCode ?? 0, text);
  }

  async #session(
    verb: "exec" | "attach",
    request: KubeletRequest,
    streams: ExecStreams,
  ): Promise<ExecOutcome> {
    const url = this.#url(request, verb, request.container);
    for (const word of request.query.getAll("command")) url.searchParams.append("command", word);
    if (streams.stdin) url.searchParams.set("input", "1");
    if (streams.stdout) url.searchParams.set("output", "1");
    if (streams.stderr) url.searchParams.set("error", "1");
    if (streams.resize) url.searchParams.set("tty", "1");
    return await runSession(url.href, streams, this.#dial);
  }

  /** Errors: throws where the node is not known, or says no way to its kubelet. */
  #url({ node, nodeName, pod }: KubeletRequest, verb: string, container: string): URL {
    const { namespace = "", name = "" } = pod.metadata;
    const parts = [verb, namespace, name, ...(container === "" ? [] : [container])];
    return new URL(`${kubeletBase(nodeName, node, this.#addressTypes)}/${parts.join("/")}`);
  }
}

/**
 * `https://10.0.0.5:10250`
 * Errors: throws where the node is not known, or says no way to its kubelet.
 */
export function kubeletBase(
  nodeName: string,
  node: KubeObject | null,
  addressTypes: readonly string[],
): string {
  if (node === null) throw new Error(`node ${nodeName} is not there`);
  const port: unknown = node.status?.daemonEndpoints?.kubeletEndpoint?.Port;
  if (typeof port !== "number" || port === 0) {
    throw new Error(`node ${nodeName} is hollow: its pods run nothing and have no output`);
  }
  const addresses: { type: string; address: string }[] = node.status?.addresses ?? [];
  for (const type of addressTypes) {
    const found = addresses.find((one) => one.type === type)?.address;
    if (found) return `https://${found.includes(":") ? `[${found}]` : found}:${port}`;
  }
  throw new Error(
    `no preferred addresses found; known addresses: ${JSON.stringify(addresses)}`,
  );
}

/** Kubelets of this process are asked directly, all others by `remote`. */
export function joinKubelets(local: KubeletPort | undefined, remote: KubeletPort): KubeletPort {
  const of = ({ nodeName }: KubeletRequest) =>
    local !== undefined && (local.knows?.(nodeName) ?? true) ? local : remote;
  // An address that can't be told is a refusal like any other.
  return {
    logs: async (request, signal) => await of(request).logs(request, signal),
    exec: async (request, streams) => await of(request).exec(request, streams),
    attach: async (request, streams) => await of(request).attach(request, streams),
    portForward: async (request, port) => await of(request).portForward(request, port),
    resourceMetrics: async (nodeName, node) =>
      await local?.resourceMetrics?.(nodeName, node) ??
        await remote.resourceMetrics?.(nodeName, node) ?? null,
  };
}

function get(url: URL, options: DialOptions, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(url, { ...tlsOptions(options), agent: false });
    const timer = setTimeout(
      () => asked.destroy(new Error("the kubelet did not answer in time")),
      CONNECT_TIMEOUT_MILLIS,
    );
    signal.addEventListener("abort", () => asked.destroy(), { once: true });
    asked.on("response", (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    asked.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    asked.end();
  });
}

/** @param limit characters; what is beyond is left */
async function textOf(answer: IncomingMessage, limit: number): Promise<string> {
  let text = "";
  for await (const chunk of answer) {
    text += new TextDecoder().decode(chunk as Uint8Array);
    if (text.length > limit) break;
  }
  return text.slice(0, limit).trim();
}

function refusal(status: number, text: string): ApiError {
  return status === 400 ? badRequest(text) : internalError(text || `the kubelet said ${status}`);
}
