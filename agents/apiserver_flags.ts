/**
 * Command-line flags of `balsa apiserver` to a checked configuration.
 * In: raw flag values as commander hands them over. Out: ApiServerCommandConfig, or every problem
 * at once, each naming the flag to change. Never: touches disk or network.
 */
import { z } from "zod";
import {
  address,
  endpoints,
  type FlagProblem,
  isProblemList,
  names,
  path,
  problemsOf,
  type RawFlags,
  unpaired,
  wholeNumber,
} from "./flag_shapes.ts";
import { ADDRESS_TYPES, DEFAULT_KUBELET_CLIENT } from "./apiserver/mod.ts";
import { SECURITY_SHAPE, securityConfigOf } from "./security_flags.ts";
import type { ServingConfig } from "./up/api_server.ts";

/** How kubelets of other machines are reached, in files. */
export interface KubeletFlags {
  /** What to show them; null = a certificate of the cluster's own authority. */
  readonly clientCertificateFile: string | null;
  readonly clientKeyFile: string | null;
  /** Authority of their certificates; null = any certificate is taken. */
  readonly certificateAuthorityFile: string | null;
  readonly preferredAddressTypes: readonly string[];
}

export interface ApiServerCommandConfig extends ServingConfig {
  /** The store's members, or an etcd's. Source: --datastore-endpoint. */
  readonly datastoreEndpoints: readonly string[];
  /** PEM files for `https` endpoints; null = the machine's authorities, no certificate. */
  readonly datastoreCaFile: string | null;
  readonly datastoreCertFile: string | null;
  readonly datastoreKeyFile: string | null;
  readonly kubelet: KubeletFlags;
}

/** One row a flag: its name and value for the usage, and what it is for. */
export const API_SERVER_OPTIONS: readonly (readonly [flags: string, help: string])[] = [
  ["--datastore-endpoint <urls>", "the store's members: http(s)://HOST:PORT[,…] (required)"],
  ["--datastore-cafile <path>", "authority of the members' certificates, for https endpoints"],
  ["--datastore-certfile <path>", "certificate to show them"],
  ["--datastore-keyfile <path>", "its key"],
  ["--pki-dir <path>", "keys and certificates, the same for every server (default: .balsa/pki)"],
  ["--bind <address>", "address to listen on (default: 127.0.0.1)"],
  ["--port <number>", "TCP port, 0 = any free one (default: 6443)"],
  ["--advertise-address <address>", "where the cluster's own service leads (default: --bind)"],
  ["--tls-san <names>", "further names and addresses of the server, such as the balancer's"],
  ["--kubeconfig <path>", "where to write the admin's kubeconfig (default: nowhere)"],
  ["--token-auth-file <path>", 'bearer tokens: lines of token,user,uid[,"group1,group2"]'],
  ["--kubelet-client-certificate <path>", "what to show kubelets (default: one of the pki dir)"],
  ["--kubelet-client-key <path>", "its key"],
  ["--kubelet-certificate-authority <path>", "authority of kubelets' certificates (default: any)"],
  [
    "--kubelet-preferred-address-types <names>",
    "which of a node's addresses to take (default: InternalIP,ExternalIP,Hostname)",
  ],
  ["--enable-admission-plugins <names>", "admission plugins beside the default ones"],
  ["--disable-admission-plugins <names>", "admission plugins to leave out"],
];

const FLAGS = z.strictObject({
  datastoreEndpoint: endpoints.optional(),
  datastoreCafile: path.optional(),
  datastoreCertfile: path.optional(),
  datastoreKeyfile: path.optional(),
  pkiDir: path.default(".balsa/pki"),
  bind: address.default("127.0.0.1"),
  port: wholeNumber(0, 65_535).default(6443),
  advertiseAddress: address.optional(),
  tlsSan: names.default([]),
  kubeconfig: path.optional(),
  tokenAuthFile: path.optional(),
  kubeletClientCertificate: path.optional(),
  kubeletClientKey: path.optional(),
  kubeletCertificateAuthority: path.optional(),
  kubeletPreferredAddressTypes: names.refine(
    (types) => types.length > 0 && types.every((type) => ADDRESS_TYPES.includes(type)),
    `must name some of ${ADDRESS_TYPES.join(", ")}`,
  ).default([...DEFAULT_KUBELET_CLIENT.addressTypes]),
  ...SECURITY_SHAPE,
  enableAdmissionPlugins: names.default([]),
  disableAdmissionPlugins: names.default([]),
});

/**
 * Checks all flags together.
 * @returns the configuration, or every problem found.
 */
export function validateApiServerFlags(
  raw: RawFlags,
): ApiServerCommandConfig | readonly FlagProblem[] {
  const parsed = FLAGS.safeParse(raw);
  if (!parsed.success) return problemsOf(parsed.error, raw);
  const flags = parsed.data;
  const problems: FlagProblem[] = [];
  if (flags.datastoreEndpoint === undefined) {
    problems.push({ flag: "--datastore-endpoint", message: "is required: an API server has none" });
  }
  problems.push(
    ...unpaired(
      { flag: "--datastore-certfile", value: flags.datastoreCertfile },
      { flag: "--datastore-keyfile", value: flags.datastoreKeyfile },
    ),
    ...unpaired(
      { flag: "--kubelet-client-certificate", value: flags.kubeletClientCertificate },
      { flag: "--kubelet-client-key", value: flags.kubeletClientKey },
    ),
  );
  const security = securityConfigOf(flags);
  if (isProblemList(security)) problems.push(...security);
  if (problems.length > 0 || isProblemList(security)) return problems;
  return {
    datastoreEndpoints: flags.datastoreEndpoint ?? [],
    datastoreCaFile: flags.datastoreCafile ?? null,
    datastoreCertFile: flags.datastoreCertfile ?? null,
    datastoreKeyFile: flags.datastoreKeyfile ?? null,
    pkiDirectory: flags.pkiDir,
    bind: flags.bind,
    port: flags.port,
    advertiseAddress: flags.advertiseAddress ?? null,
    serverNames: flags.tlsSan,
    kubeconfig: flags.kubeconfig ?? null,
    tokenAuthFile: flags.tokenAuthFile ?? null,
    kubelet: {
      clientCertificateFile: flags.kubeletClientCertificate ?? null,
      clientKeyFile: flags.kubeletClientKey ?? null,
      certificateAuthorityFile: flags.kubeletCertificateAuthority ?? null,
      preferredAddressTypes: flags.kubeletPreferredAddressTypes,
    },
    security,
    enabledAdmission: flags.enableAdmissionPlugins,
    disabledAdmission: flags.disableAdmissionPlugins,
  };
}
