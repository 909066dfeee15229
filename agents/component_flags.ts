/**
 * Flags of `balsa controller-manager` and `balsa scheduler` to a checked configuration.
 * In: raw flag values as commander hands them over. Out: ComponentConfig, or every problem at once,
 * each naming the flag to change. Never: touches disk or network.
 */
import { z } from "zod";
import { parseDuration } from "./api/time.ts";
import {
  type ElectionWish,
  leaseTimes,
  problemOfTimes,
  wordProblem,
} from "./client/election/election_config.ts";
import {
  address,
  type FlagProblem,
  path,
  problemsOf,
  type RawFlags,
  unpaired,
  wholeNumber,
} from "./flag_shapes.ts";

/** Where it tells of its health and its numbers, and whom. */
export interface ServingConfig {
  /** 0 = nowhere; null = the component's own port. */
  readonly securePort: number | null;
  /** Default 0.0.0.0. */
  readonly bindAddress: string;
  /** The server's certificate; null = one of its own making. */
  readonly tlsCertFile: string | null;
  readonly tlsKeyFile: string | null;
  /** Authority of those who may ask; null = the one that the API server publishes. */
  readonly clientCaFile: string | null;
}

/** What a component that runs apart from the API server is told. */
export interface ComponentConfig {
  /** How to reach the API server; null = as a configuration file or the default says. */
  readonly kubeconfig: string | null;
  /** As far as flags have said; a configuration file may add to it. */
  readonly election: ElectionWish;
  readonly serving: ServingConfig;
  /** A KubeSchedulerConfiguration, for the scheduler; null = all defaults. */
  readonly schedulerConfig: string | null;
}

/** One row a flag: its name and value for the usage, and what it is for. */
export const COMPONENT_OPTIONS: readonly (readonly [flags: string, help: string])[] = [
  ["--kubeconfig <path>", "how to reach the cluster (default: .balsa/kubeconfig)"],
  ["--leader-elect <true|false>", "of several, let one work at a time (default: true)"],
  [
    "--leader-elect-lease-duration <time>",
    "how long a silent leader is waited for (default: 15s)",
  ],
  ["--leader-elect-renew-deadline <time>", "how long a leader tries to renew (default: 10s)"],
  ["--leader-elect-retry-period <time>", "between two attempts (default: 2s)"],
  ["--leader-elect-resource-name <name>", "of the lease (default: the component's)"],
  ["--leader-elect-resource-namespace <name>", "of the lease (default: kube-system)"],
  [
    "--secure-port <number>",
    "HTTPS port of health and metrics, 0 = none (default: 10259, controller-manager 10257)",
  ],
  ["--bind-address <address>", "where to listen on it (default: 0.0.0.0)"],
  ["--tls-cert-file <path>", "certificate to serve with (default: one of its own making)"],
  ["--tls-private-key-file <path>", "its key"],
  ["--client-ca-file <path>", "authority of those who may ask (default: the API server's)"],
];

/** Seconds, as a number or as a time such as 1m30s. */
const seconds = z.string().transform((text, context) => {
  const value = /^\d+$/.test(text) ? Number(text) : (parseDuration(text) ?? NaN) / 1e9;
  if (!(value > 0 && value <= 3600)) {
    context.addIssue("must be a time above 0 and up to 1h, such as 15s");
  }
  return value;
});

const TIME_FLAGS = {
  durationSeconds: "--leader-elect-lease-duration",
  renewSeconds: "--leader-elect-renew-deadline",
  retrySeconds: "--leader-elect-retry-period",
} as const;

const FLAGS = z.strictObject({
  kubeconfig: path.optional(),
  leaderElect: z.enum(["true", "false"], "must be true or false").optional(),
  leaderElectLeaseDuration: seconds.refine(
    (value) => value >= 2 && Number.isInteger(value),
    "must be whole seconds, at least 2",
  ).optional(),
  leaderElectRenewDeadline: seconds.optional(),
  leaderElectRetryPeriod: seconds.optional(),
  leaderElectResourceName: z.string().min(1).optional(),
  leaderElectResourceNamespace: z.string().min(1).optional(),
  securePort: wholeNumber(0, 65_535).optional(),
  bindAddress: address.default("0.0.0.0"),
  tlsCertFile: path.optional(),
  tlsPrivateKeyFile: path.optional(),
  clientCaFile: path.optional(),
  schedulerConfig: path.optional(),
  config: path.optional(),
});

/**
 * Checks all flags together.
 * @returns the configuration, or every problem found.
 */
export function validateComponentFlags(raw: RawFlags): ComponentConfig | readonly FlagProblem[] {
  const parsed = FLAGS.safeParse(raw);
  if (!parsed.success) return problemsOf(parsed.error, raw);
  const flags = parsed.data;
  const schedulerConfig = flags.schedulerConfig ?? flags.config ?? null;
  const election = {
    leaderElect: flags.leaderElect === undefined ? undefined : flags.leaderElect === "true",
    durationSeconds: flags.leaderElectLeaseDuration,
    renewSeconds: flags.leaderElectRenewDeadline,
    retrySeconds: flags.leaderElectRetryPeriod,
    namespace: flags.leaderElectResourceNamespace,
    name: flags.leaderElectResourceName,
  };
  // With a file, what flags leave open is not known yet.
  const problem = schedulerConfig === null ? problemOfTimes(leaseTimes(election)) : null;
  if (problem !== null) {
    const { name: flag, message } = wordProblem(problem, TIME_FLAGS);
    return [{ flag, message }];
  }
  const problems = unpaired(
    { flag: "--tls-cert-file", value: flags.tlsCertFile },
    { flag: "--tls-private-key-file", value: flags.tlsPrivateKeyFile },
  );
  if (problems.length > 0) return problems;
  return {
    kubeconfig: flags.kubeconfig ?? null,
    election,
    serving: {
      securePort: flags.securePort ?? null,
      bindAddress: flags.bindAddress,
      tlsCertFile: flags.tlsCertFile ?? null,
      tlsKeyFile: flags.tlsPrivateKeyFile ?? null,
      clientCaFile: flags.clientCaFile ?? null,
    },
    schedulerConfig,
  };
}
