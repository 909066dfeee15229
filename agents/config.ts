/**
 * Command-line flags of `balsa up` to a checked configuration.
 * In: raw flag values as commander hands them over. Out: UpConfig, or every problem at once, each
 * naming the flag to change. Never: touches disk or network.
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
  wholeNumber,
} from "./flag_shapes.ts";
import { SECURITY_SHAPE, type SecurityConfig, securityConfigOf } from "./security_flags.ts";

/** What `balsa up` needs to know. */
export interface UpConfig {
  /** Everything that must outlive a restart. Default `.balsa`. Source: --data-dir. */
  readonly dataDir: string;
  /** Address that the API server listens on. Default 127.0.0.1. Source: --bind. */
  readonly bind: string;
  /** TCP port of the API server; 0 = any free one. Default 6443. Source: --port. */
  readonly port: number;
  /** Where the admin's kubeconfig is written. Default `<data-dir>/kubeconfig`. */
  readonly kubeconfig: string;
  /** Hollow nodes to register; null = 3 where no container runtime answers, else none. */
  readonly hollowNodes: number | null;
  /** Which container runtime runs this machine's pods. Default auto. Source: --cri. */
  readonly cri: { readonly kind: "auto" | "none" } | { readonly kind: "socket"; path: string };
  /** TCP port on which the store speaks etcd's API; null = it does not. Source: --etcd-port. */
  readonly etcdPort: number | null;
  /**
   * Existing etcd to run on instead of the own store; empty = own. Source: --datastore-endpoint.
   */
  readonly datastoreEndpoints: readonly string[];
  /** CSV file of bearer tokens that don't expire; null = none. Source: --token-auth-file. */
  readonly tokenAuthFile: string | null;
  /** File of a KubeSchedulerConfiguration; null = all defaults. Source: --scheduler-config. */
  readonly schedulerConfig: string | null;
  /** Who may come in, and what is kept of it. */
  readonly security: SecurityConfig;
  /** Admission plugins beside the default ones. Source: --enable-admission-plugins. */
  readonly enabledAdmission: readonly string[];
  /** Admission plugins to leave out. Source: --disable-admission-plugins. */
  readonly disabledAdmission: readonly string[];
}

const MAX_HOLLOW_NODES = 50_000;

const cri = z.string().transform((value, context): UpConfig["cri"] => {
  if (value === "auto" || value === "none") return { kind: value };
  const socket = /^unix:\/\/(\/.+)$/.exec(value);
  if (socket) return { kind: "socket", path: socket[1] };
  context.addIssue({ code: "custom", message: "must be auto, none or unix:///path/to/socket" });
  return z.NEVER;
});

const FLAGS = z.strictObject({
  dataDir: path.default(".balsa"),
  bind: address.default("127.0.0.1"),
  port: wholeNumber(0, 65_535).default(6443),
  kubeconfig: path.optional(),
  hollowNodes: wholeNumber(0, MAX_HOLLOW_NODES).optional(),
  cri: cri.default({ kind: "auto" }),
  etcdPort: wholeNumber(0, 65_535).optional(),
  datastoreEndpoint: endpoints.optional(),
  tokenAuthFile: path.optional(),
  schedulerConfig: path.optional(),
  ...SECURITY_SHAPE,
  enableAdmissionPlugins: names.default([]),
  disableAdmissionPlugins: names.default([]),
});

/**
 * Checks all flags together.
 * @returns the configuration, or every problem found.
 */
export function validateUpConfig(raw: RawFlags): UpConfig | readonly FlagProblem[] {
  const parsed = FLAGS.safeParse(raw);
  if (!parsed.success) {
    return problemsOf(parsed.error, raw);
  }
  const flags = parsed.data;
  if (flags.etcdPort !== undefined && flags.datastoreEndpoint !== undefined) {
    return [{
      flag: "--etcd-port",
      message: "opens the own store to clients, which --datastore-endpoint replaces: drop one",
    }];
  }
  const security = securityConfigOf(flags);
  if (isProblemList(security)) return security;
  return {
    dataDir: flags.dataDir,
    bind: flags.bind,
    port: flags.port,
    kubeconfig: flags.kubeconfig ?? `${flags.dataDir.replace(/\/+$/, "")}/kubeconfig`,
    hollowNodes: flags.hollowNodes ?? null,
    cri: flags.cri,
    etcdPort: flags.etcdPort ?? null,
    datastoreEndpoints: flags.datastoreEndpoint ?? [],
    tokenAuthFile: flags.tokenAuthFile ?? null,
    schedulerConfig: flags.schedulerConfig ?? null,
    security,
    enabledAdmission: flags.enableAdmissionPlugins,
    disabledAdmission: flags.disableAdmissionPlugins,
  };
}
