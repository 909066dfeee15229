/**
 * Flags of `balsa controller-manager` and `balsa scheduler` to a checked configuration.
 * In: raw flag values as commander hands them over. Out: ComponentConfig, or every problem at once,
 * each naming the flag to change. Never: touches disk or network.
 */
import { z } from "zod";
import { parseDuration } from "./api/time.ts";
import {
  address,
  type FlagProblem,
  path,
  problemsOf,
  type RawFlags,
  unpaired,
  wholeNumber,
} from "./flag_shapes.ts";

/** The lease that says who works. */
export interface LeaseConfig {
  /** How long the others wait for a leader that is silent, seconds. Default 15. */
  readonly durationSeconds: number;
  /** How long a leader tries to renew before it gives up, seconds. Default 2/3 of the duration. */
  readonly renewSeconds: number;
  /** Between two attempts, seconds. Default 2/15 of the duration. */
  readonly retrySeconds: number;
  /** Default "kube-system". */
  readonly namespace: string;
  /** null = the component's own. */
  readonly name: string | null;
}

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
  /** How to reach the API server. Source: --kubeconfig. */
  readonly kubeconfig: string;
  /** Whether several of it share the work by one doing it all. Default true. */
  readonly leaderElect: boolean;
  readonly lease: LeaseConfig;
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

/** Attempts are spread by as much, so the deadline must leave room for a late one. */
const JITTER = 1.2;

const FLAGS = z.strictObject({
  kubeconfig: path.default(".balsa/kubeconfig"),
  leaderElect: z.enum(["true", "false"], "must be true or false").default("true"),
  leaderElectLeaseDuration: seconds.refine(
    (value) => value >= 2 && Number.isInteger(value),
    "must be whole seconds, at least 2",
  )
    .default(15),
  leaderElectRenewDeadline: seconds.optional(),
  leaderElectRetryPeriod: seconds.optional(),
  leaderElectResourceName: z.string().min(1).optional(),
  leaderElectResourceNamespace: z.string().min(1).default("kube-system"),
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
  const durationSeconds = flags.leaderElectLeaseDuration;
  const renewSeconds = flags.leaderElectRenewDeadline ?? durationSeconds * 2 / 3;
  const retrySeconds = flags.leaderElectRetryPeriod ?? durationSeconds * 2 / 15;
  if (renewSeconds >= durationSeconds) {
    const message = "must be less than --leader-elect-lease-duration";
    return [{ flag: "--leader-elect-renew-deadline", message }];
  }
  if (retrySeconds * JITTER >= renewSeconds) {
    const message = `must be less than --leader-elect-renew-deadline divided by ${JITTER}`;
    return [{ flag: "--leader-elect-retry-period", message }];
  }
  const problems = unpaired(
    { flag: "--tls-cert-file", value: flags.tlsCertFile },
    { flag: "--tls-private-key-file", value: flags.tlsPrivateKeyFile },
  );
  if (problems.length > 0) return problems;
  return {
    kubeconfig: flags.kubeconfig,
    leaderElect: flags.leaderElect === "true",
    lease: {
      durationSeconds,
      renewSeconds,
      retrySeconds,
      namespace: flags.leaderElectResourceNamespace,
      name: flags.leaderElectResourceName ?? null,
    },
    serving: {
      securePort: flags.securePort ?? null,
      bindAddress: flags.bindAddress,
      tlsCertFile: flags.tlsCertFile ?? null,
      tlsKeyFile: flags.tlsPrivateKeyFile ?? null,
      clientCaFile: flags.clientCaFile ?? null,
    },
    schedulerConfig: flags.schedulerConfig ?? flags.config ?? null,
  };
}
