/**
 * Flags of `balsa controller-manager` and `balsa scheduler` to a checked configuration.
 * In: raw flag values as commander hands them over. Out: ComponentConfig, or every problem at once,
 * each naming the flag to change. Never: touches disk or network.
 */
import { z } from "zod";
import { type FlagProblem, path, problemsOf, type RawFlags, wholeNumber } from "./flag_shapes.ts";

/** What a component that runs apart from the API server is told. */
export interface ComponentConfig {
  /** How to reach the API server. Source: --kubeconfig. */
  readonly kubeconfig: string;
  /** Whether several of it share the work by one doing it all. Default true. */
  readonly leaderElect: boolean;
  /** How long the others wait for a leader that is silent, seconds. Default 15. */
  readonly leaseSeconds: number;
  /** A KubeSchedulerConfiguration, for the scheduler; null = all defaults. */
  readonly schedulerConfig: string | null;
}

/** One row a flag: its name and value for the usage, and what it is for. */
export const COMPONENT_OPTIONS: readonly (readonly [flags: string, help: string])[] = [
  ["--kubeconfig <path>", "how to reach the cluster (default: .balsa/kubeconfig)"],
  ["--leader-elect <true|false>", "of several, let one work at a time (default: true)"],
  [
    "--leader-elect-lease-duration <seconds>",
    "how long a silent leader is waited for (default: 15)",
  ],
];

const FLAGS = z.strictObject({
  kubeconfig: path.default(".balsa/kubeconfig"),
  leaderElect: z.enum(["true", "false"], "must be true or false").default("true"),
  leaderElectLeaseDuration: wholeNumber(2, 3600).default(15),
  schedulerConfig: path.optional(),
});

/**
 * Checks all flags together.
 * @returns the configuration, or every problem found.
 */
export function validateComponentFlags(raw: RawFlags): ComponentConfig | readonly FlagProblem[] {
  const parsed = FLAGS.safeParse(raw);
  if (!parsed.success) return problemsOf(parsed.error, raw);
  const flags = parsed.data;
  return {
    kubeconfig: flags.kubeconfig,
    leaderElect: flags.leaderElect === "true",
    leaseSeconds: flags.leaderElectLeaseDuration,
    schedulerConfig: flags.schedulerConfig ?? null,
  };
}
