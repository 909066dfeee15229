/**
 * Command line and environment of one member, under etcd's names.
 * In: arguments and ETCD_* variables. Out: settings, or every problem at once.
 * Never: reads files, guesses at a flag it does not know.
 * Source: etcd's flags (server/etcdmain/help.go); a flag wins over its variable.
 */
import type { InitialMember, StoreConfig, TlsFiles } from "./member/config.ts";
import type { LogLevel } from "./ports.ts";

export interface ServerSettings {
  readonly store: StoreOptionsOf;
  readonly listenClientUrls: readonly string[];
  readonly listenMetricsUrls: readonly string[];
  readonly clientTls: TlsFiles | null;
  readonly logLevel: LogLevel;
}

/** What the command line says of the store itself. */
type StoreOptionsOf = Partial<StoreConfig> & Pick<StoreConfig, "dataDirectory">;

export type ParsedFlags =
  | { readonly kind: "settings"; readonly settings: ServerSettings }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

/** Every flag, its default, and what it means; the help text is made of this. */
export const FLAGS = {
  "name": ["default", "human-readable name of this member"],
  "data-dir": ["", "directory of the member's data; default <name>.etcd"],
  "listen-client-urls": ["http://localhost:2379", "URLs to listen on for clients"],
  "advertise-client-urls": ["http://localhost:2379", "client URLs told to the cluster"],
  "listen-peer-urls": ["http://localhost:2380", "URLs to listen on for peers"],
  "initial-advertise-peer-urls": ["http://localhost:2380", "peer URLs told to the cluster"],
  "initial-cluster": ["", "members to start with, name=url,...; default this one alone"],
  "initial-cluster-state": ["new", "new or existing"],
  "initial-cluster-token": ["etcd-cluster", "tells clusters apart"],
  "cert-file": ["", "certificate for clients' connections"],
  "key-file": ["", "key of that certificate"],
  "client-cert-auth": ["false", "clients must show a certificate"],
  "trusted-ca-file": ["", "authorities of clients' certificates"],
  "peer-cert-file": ["", "certificate for peers' connections, both ways"],
  "peer-key-file": ["", "key of that certificate"],
  "peer-client-cert-auth": ["false", "peers must show a certificate"],
  "peer-trusted-ca-file": ["", "authorities of peers' certificates"],
  "snapshot-count": ["10000", "log entries between two snapshots"],
  "heartbeat-interval": ["100", "milliseconds"],
  "election-timeout": ["1000", "milliseconds"],
  "quota-backend-bytes": ["0", "bytes of data that raise the NOSPACE alarm; 0 = 2 GiB"],
  "auto-compaction-mode": ["periodic", "periodic or revision"],
  "auto-compaction-retention": ["0", "hours, a duration such as 30m, or revisions; 0 = off"],
  "max-request-bytes": ["1572864", "bytes of one request"],
  "listen-metrics-urls": ["", "URLs that serve only /metrics and /health"],
  "log-level": ["info", "debug, info, warn or error"],
} as const satisfies Record<string, readonly [string, string]>;

type FlagName = keyof typeof FLAGS;

/** Flags that may stand without a value. */
const BOOLEAN_FLAGS: readonly string[] = ["client-cert-auth", "peer-client-cert-auth"];
const UNIT_MILLIS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a command line; `--flag value` and `--flag=value`, one or two dashes.
 * @param args without the program's name
 * @param environment `ETCD_NAME` and so on
 */
export function parseFlags(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ParsedFlags {
  const problems: string[] = [];
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(args[i]);
    if (match === null) {
      problems.push(`${args[i]} is not a flag`);
      continue;
    }
    const [, name, attached] = match;
    if (name === "help" || name === "h") return { kind: "help" };
    if (name === "version") return { kind: "version" };
    if (!(name in FLAGS)) {
      problems.push(`--${name} is not a flag of this server`);
      if (attached === undefined && args[i + 1]?.startsWith("-") === false) i++;
      continue;
    }
    const bare = BOOLEAN_FLAGS.includes(name) && !/^(true|false)$/.test(args[i + 1] ?? "");
    if (attached !== undefined) given.set(name, attached);
    else if (bare) given.set(name, "true");
    else if (i + 1 < args.length) given.set(name, args[++i]);
    else problems.push(`--${name} needs a value`);
  }
  const text = (name: FlagName): string => {
    const variable = `ETCD_${name.toUpperCase().replaceAll("-", "_")}`;
    return given.get(name) ?? environment[variable] ?? FLAGS[name][0];
  };
  const settings = toSettings(text, problems);
  return problems.length > 0 ? { kind: "problems", problems } : { kind: "settings", settings };
}

/** @returns the help text */
export function formatHelp(): string {
  const lines = Object.entries(FLAGS).map(([name, [fallback, meaning]]) => {
    return `  --${name.padEnd(28)} ${meaning}${fallback === "" ? "" : ` (default ${fallback})`}`;
  });
  return "Usage: deno task store [flags]\n" +
    "       deno task store restore FILE [--skip-hash-check] [flags]   an etcd snapshot\n\n" +
    `${lines.join("\n")}\n\n` +
    "Each flag can also be given as an environment variable: --data-dir is ETCD_DATA_DIR.\n";
}

function toSettings(text: (name: FlagName) => string, problems: string[]): ServerSettings {
  const integer = (name: FlagName): number => {
    const value = Number(text(name));
    if (!Number.isSafeInteger(value)) problems.push(`--${name} ${text(name)} is no integer`);
    return value;
  };
  const flag = (name: FlagName): boolean => {
    if (!/^(true|false)$/.test(text(name))) {
      problems.push(`--${name} ${text(name)} is neither true nor false`);
    }
    return text(name) === "true";
  };
  const name = text("name");
  const mode = text("auto-compaction-mode");
  const state = text("initial-cluster-state");
  const logLevel = text("log-level");
  if (!isLogLevel(logLevel)) {
    problems.push(`--log-level ${logLevel} is none of debug, info, warn, error`);
  }
  const advertisePeerUrls = list(text("initial-advertise-peer-urls"));
  const initialCluster = parseCluster(text("initial-cluster"), problems);
  return {
    store: {
      name,
      dataDirectory: text("data-dir") || `${name}.etcd`,
      listenPeerUrls: list(text("listen-peer-urls")),
      advertisePeerUrls,
      advertiseClientUrls: list(text("advertise-client-urls")),
      initialCluster: initialCluster.length > 0
        ? initialCluster
        : [{ name, peerUrls: advertisePeerUrls }],
      initialClusterState: state as StoreConfig["initialClusterState"],
      initialClusterToken: text("initial-cluster-token"),
      peerTls: parseTls("peer-", text, flag("peer-client-cert-auth"), problems),
      snapshotCount: integer("snapshot-count"),
      heartbeatIntervalMillis: integer("heartbeat-interval"),
      electionTimeoutMillis: integer("election-timeout"),
      quotaBytes: integer("quota-backend-bytes"),
      maxRequestBytes: integer("max-request-bytes"),
      autoCompactionMode: mode as StoreConfig["autoCompactionMode"],
      autoCompactionRetention: parseRetention(text("auto-compaction-retention"), mode, problems),
    },
    listenClientUrls: list(text("listen-client-urls")),
    listenMetricsUrls: list(text("listen-metrics-urls")),
    clientTls: parseTls("", text, flag("client-cert-auth"), problems),
    logLevel: isLogLevel(logLevel) ? logLevel : "info",
  };
}

function isLogLevel(text: string): text is LogLevel {
  return ["debug", "info", "warn", "error"].includes(text);
}

function list(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

/** `a=http://x:1,a=http://y:1,b=http://z:1`: a name may have several URLs. */
function parseCluster(text: string, problems: string[]): InitialMember[] {
  const members = new Map<string, string[]>();
  for (const part of list(text)) {
    const at = part.indexOf("=");
    if (at < 1) {
      problems.push(`--initial-cluster: ${part} is not name=url`);
      continue;
    }
    const name = part.slice(0, at);
    members.set(name, [...members.get(name) ?? [], part.slice(at + 1)]);
  }
  return [...members].map(([name, peerUrls]) => ({ name, peerUrls }));
}

function parseTls(
  prefix: "" | "peer-",
  text: (name: FlagName) => string,
  clientCertAuth: boolean,
  problems: string[],
): TlsFiles | null {
  const certFile = text(`${prefix}cert-file`);
  const keyFile = text(`${prefix}key-file`);
  const trustedCaFile = text(`${prefix}trusted-ca-file`);
  if ((certFile === "") !== (keyFile === "")) {
    problems.push(`--${prefix}cert-file and --${prefix}key-file need each other`);
  }
  if (clientCertAuth && trustedCaFile === "") {
    problems.push(`--${prefix}client-cert-auth needs --${prefix}trusted-ca-file`);
  }
  if (certFile === "" && trustedCaFile === "") return null;
  return {
    certFile,
    keyFile,
    trustedCaFile,
    clientCertAuth: clientCertAuth || trustedCaFile !== "",
  };
}

/** Periodic: a bare number counts hours, as etcd reads it. */
function parseRetention(text: string, mode: string, problems: string[]): number {
  const match = /^(\d+)(ms|s|m|h)?$/.exec(text);
  if (match === null) {
    problems.push(`--auto-compaction-retention ${text} is neither a number nor a duration`);
    return 0;
  }
  if (mode === "revision") {
    if (match[2] !== undefined) {
      problems.push(`--auto-compaction-retention ${text} must be a number of revisions`);
    }
    return Number(match[1]);
  }
  return Number(match[1]) * UNIT_MILLIS[match[2] ?? "h"];
}
