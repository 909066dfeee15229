/**
 * What a member can be told, with defaults; and everything that can be wrong with it.
 * In: options. Out: a whole StoreConfig, or the list of problems, each naming its flag.
 * Never: touches the disk.
 * Source: etcd's flags of the same names (server/embed/config.go).
 */

export interface TlsFiles {
  /** `--peer-cert-file` / `--cert-file` */
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities of the other side. */
  readonly trustedCaFile: string;
  /** Whether a client must show a certificate of those authorities. */
  readonly clientCertAuth: boolean;
}

export interface InitialMember {
  readonly name: string;
  readonly peerUrls: readonly string[];
}

export interface StoreConfig {
  /** `--name`, default "default". */
  readonly name: string;
  /** `--data-dir`; created with mode 0700. No default. */
  readonly dataDirectory: string;
  /** `--initial-cluster`; default this member alone at its peer URLs. */
  readonly initialCluster: readonly InitialMember[];
  /** `--initial-cluster-state`, default "new"; ignored once the data directory holds a log. */
  readonly initialClusterState: "new" | "existing";
  /** `--initial-cluster-token`, default "etcd-cluster". */
  readonly initialClusterToken: string;
  /** `--initial-advertise-peer-urls`, default http://localhost:2380. */
  readonly advertisePeerUrls: readonly string[];
  /** `--listen-peer-urls`; default none: this member is alone and nobody can join it. */
  readonly listenPeerUrls: readonly string[];
  /** `--peer-cert-file` and its companions; needed for https peer URLs. Default null. */
  readonly peerTls: TlsFiles | null;
  /** `--advertise-client-urls`, default http://localhost:2379. */
  readonly advertiseClientUrls: readonly string[];
  /** `--heartbeat-interval`, milliseconds, default 100; also the length of one tick. */
  readonly heartbeatIntervalMillis: number;
  /** `--election-timeout`, milliseconds, default 1000; 5 to 500 heartbeats. */
  readonly electionTimeoutMillis: number;
  /** `--snapshot-count`, log entries (each a batch) between snapshots, default 10,000. */
  readonly snapshotCount: number;
  /** Bytes of log between snapshots, default 256 MiB. */
  readonly snapshotLogBytes: number;
  /** Entries kept in memory for slow followers, at most 32 MiB of them; default 5,000. */
  readonly snapshotCatchUpEntries: number;
  /** `--quota-backend-bytes`, default 2 GiB; more data raises the NOSPACE alarm. 0 = default. */
  readonly quotaBytes: number;
  /** `--max-request-bytes`, default 1.5 MiB. */
  readonly maxRequestBytes: number;
  /** `--auto-compaction-mode`, default "periodic". */
  readonly autoCompactionMode: "periodic" | "revision";
  /** `--auto-compaction-retention`: milliseconds or revisions by mode; 0 = never, the default. */
  readonly autoCompactionRetention: number;
  /** What is left of longer leases is written down this often, milliseconds; default 300,000. */
  readonly leaseCheckpointMillis: number;
  /** Milliseconds a write or read may wait for a quorum, default 5,000. */
  readonly requestTimeoutMillis: number;
  /** Bytes of a log segment, default 64 MiB. */
  readonly segmentBytes: number;
}

/** Every option but the data directory has a default. */
export type StoreOptions = Partial<StoreConfig> & Pick<StoreConfig, "dataDirectory">;

/** @returns the options with every default filled in */
export function withDefaults(options: StoreOptions): StoreConfig {
  const name = options.name ?? "default";
  const advertisePeerUrls = options.advertisePeerUrls ?? ["http://localhost:2380"];
  return {
    initialCluster: [{ name, peerUrls: advertisePeerUrls }],
    initialClusterState: "new",
    initialClusterToken: "etcd-cluster",
    listenPeerUrls: [],
    peerTls: null,
    advertiseClientUrls: ["http://localhost:2379"],
    heartbeatIntervalMillis: 100,
    electionTimeoutMillis: 1000,
    snapshotCount: 10_000,
    snapshotLogBytes: 256 * 1024 * 1024,
    snapshotCatchUpEntries: 5_000,
    maxRequestBytes: 1.5 * 1024 * 1024,
    autoCompactionMode: "periodic",
    autoCompactionRetention: 0,
    leaseCheckpointMillis: 300_000,
    requestTimeoutMillis: 5_000,
    segmentBytes: 64 * 1024 * 1024,
    ...options,
    name,
    advertisePeerUrls,
    quotaBytes: options.quotaBytes || 2 * 1024 * 1024 * 1024,
  };
}

/**
 * Checks a whole configuration.
 * @returns every problem at once, each naming the flag to change; empty when there is none
 */
export function validateConfig(config: StoreConfig): string[] {
  const problems: string[] = [];
  const require = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem);
  };
  require(config.name !== "", "--name must not be empty");
  require(config.dataDirectory !== "", "--data-dir must name a directory");
  require(config.advertisePeerUrls.length > 0, "--initial-advertise-peer-urls must name a URL");
  const own = config.initialCluster.filter((member) => member.name === config.name);
  require(own.length === 1, `--initial-cluster must name --name ${config.name} exactly once`);
  for (const { name, peerUrls } of config.initialCluster) {
    for (const url of peerUrls) {
      require(isUrl(url), `--initial-cluster: ${name}=${url} is no http or https URL`);
    }
  }
  if (own.length === 1) {
    require(
      [...own[0].peerUrls].sort().join() === [...config.advertisePeerUrls].sort().join(),
      `--initial-cluster names ${own[0].peerUrls.join()} for ${config.name}, but ` +
        `--initial-advertise-peer-urls is ${config.advertisePeerUrls.join()}`,
    );
  }
  for (const url of [...config.advertisePeerUrls, ...config.advertiseClientUrls]) {
    require(isUrl(url), `--advertise URL ${url} is no http or https URL`);
  }
  for (const url of config.listenPeerUrls) {
    require(isUrl(url), `--listen-peer-urls ${url} is no http or https URL`);
    const needsTls = url.startsWith("https:") && config.peerTls === null;
    require(!needsTls, `--listen-peer-urls ${url} needs --peer-cert-file and --peer-key-file`);
  }
  require(
    config.initialCluster.length === 1 || config.listenPeerUrls.length > 0,
    "--initial-cluster names other members, so --listen-peer-urls must name a URL",
  );
  require(
    ["new", "existing"].includes(config.initialClusterState),
    `--initial-cluster-state ${config.initialClusterState} is neither new nor existing`,
  );
  require(
    isIntegerIn(config.heartbeatIntervalMillis, 10, 60_000),
    "--heartbeat-interval must be 10 to 60000 milliseconds",
  );
  require(
    config.electionTimeoutMillis >= 5 * config.heartbeatIntervalMillis,
    "--election-timeout must be at least 5 times --heartbeat-interval",
  );
  require(
    isIntegerIn(config.electionTimeoutMillis, 50, 50_000),
    "--election-timeout must be 50 to 50000 milliseconds",
  );
  require(isIntegerIn(config.snapshotCount, 1, 1e9), "--snapshot-count must be at least 1");
  require(isIntegerIn(config.quotaBytes, 1, 2 ** 50), "--quota-backend-bytes must be positive");
  require(
    isIntegerIn(config.maxRequestBytes, 1024, 64 * 1024 * 1024),
    "--max-request-bytes must be 1024 to 67108864",
  );
  require(
    ["periodic", "revision"].includes(config.autoCompactionMode),
    `--auto-compaction-mode ${config.autoCompactionMode} is neither periodic nor revision`,
  );
  require(
    isIntegerIn(config.autoCompactionRetention, 0, 2 ** 50),
    "--auto-compaction-retention must not be negative",
  );
  return problems;
}

function isIntegerIn(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function isUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:") &&
    url.hostname !== "";
}
