/**
 * Command-line flags of `balsa kubelet` to a checked configuration.
 * In: raw flag values as commander hands them over. Out: KubeletCommandConfig, or every problem at
 * once, each naming the flag to change. Never: touches disk or network.
 * Source: the kubelet's flag reference (v1.36) for names.
 */
import { z } from "zod";
import {
  address,
  type FlagProblem,
  names,
  path,
  problemsOf,
  type RawFlags,
  unpaired,
  wholeNumber,
} from "./flag_shapes.ts";

export interface KubeletCommandConfig {
  /** How to reach the API server. */
  readonly kubeconfig: string;
  /** Path of the container runtime's socket. */
  readonly runtimeSocket: string;
  /** The node's name; null = the machine's. */
  readonly hostnameOverride: string | null;
  /** The node's address; null = the first that others can reach. */
  readonly nodeIp: string | null;
  /** Where to listen. Default 0.0.0.0 and 10250. */
  readonly address: string;
  readonly port: number;
  /** Folder of volumes and logs. */
  readonly rootDir: string;
  /** The server's certificate; null = one of its own making. */
  readonly tlsCertFile: string | null;
  readonly tlsKeyFile: string | null;
  /** Authority of those who may ask; null = the kubeconfig's. */
  readonly clientCaFile: string | null;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
}

/** One row a flag: its name and value for the usage, and what it is for. */
export const KUBELET_OPTIONS: readonly (readonly [flags: string, help: string])[] = [
  ["--kubeconfig <path>", "how to reach the cluster (default: .balsa/kubeconfig)"],
  ["--container-runtime-endpoint <unix:///path>", "the container runtime's socket (required)"],
  ["--hostname-override <name>", "the node's name (default: the machine's)"],
  ["--node-ip <address>", "the node's address (default: the first that others can reach)"],
  ["--address <address>", "where to listen for the API server (default: 0.0.0.0)"],
  ["--port <number>", "TCP port to listen on, 0 = any free one (default: 10250)"],
  ["--root-dir <path>", "folder of volumes and logs (default: .balsa/kubelet)"],
  ["--tls-cert-file <path>", "certificate to serve with (default: one of its own making)"],
  ["--tls-private-key-file <path>", "its key"],
  ["--client-ca-file <path>", "authority of those who may ask (default: the kubeconfig's)"],
  ["--cluster-dns <addresses>", "name servers of pods"],
  ["--cluster-domain <name>", "domain of services (default: cluster.local)"],
];

const socket = z.string().regex(/^unix:\/\/\/.+/, "must be unix:///PATH")
  .transform((text) => text.slice("unix://".length));

const FLAGS = z.strictObject({
  kubeconfig: path.default(".balsa/kubeconfig"),
  containerRuntimeEndpoint: socket.optional(),
  hostnameOverride: z.string().regex(
    /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/,
    "must be a DNS name in lower case",
  ).optional(),
  nodeIp: address.optional(),
  address: address.default("0.0.0.0"),
  port: wholeNumber(0, 65_535).default(10_250),
  rootDir: path.default(".balsa/kubelet"),
  tlsCertFile: path.optional(),
  tlsPrivateKeyFile: path.optional(),
  clientCaFile: path.optional(),
  clusterDns: names.default([]),
  clusterDomain: z.string().min(1, "must not be empty").default("cluster.local"),
});

/**
 * Checks all flags together.
 * @returns the configuration, or every problem found.
 */
export function validateKubeletFlags(
  raw: RawFlags,
): KubeletCommandConfig | readonly FlagProblem[] {
  const parsed = FLAGS.safeParse(raw);
  if (!parsed.success) return problemsOf(parsed.error, raw);
  const flags = parsed.data;
  const problems: FlagProblem[] = [];
  if (flags.containerRuntimeEndpoint === undefined) {
    problems.push({ flag: "--container-runtime-endpoint", message: "is required" });
  }
  problems.push(...unpaired(
    { flag: "--tls-cert-file", value: flags.tlsCertFile },
    { flag: "--tls-private-key-file", value: flags.tlsPrivateKeyFile },
  ));
  if (problems.length > 0) return problems;
  return {
    kubeconfig: flags.kubeconfig,
    runtimeSocket: flags.containerRuntimeEndpoint ?? "",
    hostnameOverride: flags.hostnameOverride ?? null,
    nodeIp: flags.nodeIp ?? null,
    address: flags.address,
    port: flags.port,
    rootDir: flags.rootDir,
    tlsCertFile: flags.tlsCertFile ?? null,
    tlsKeyFile: flags.tlsPrivateKeyFile ?? null,
    clientCaFile: flags.clientCaFile ?? null,
    clusterDns: flags.clusterDns,
    clusterDomain: flags.clusterDomain,
  };
}
