/**
 * What a KubeSchedulerConfiguration says of the process that it is given to: the lease, and the way
 * to the cluster.
 * In: YAML values. Out: checked wishes; flags may say otherwise.
 * Never: takes effect inside `balsa up`, where the scheduler is no process of its own.
 * Source: component-base apis/config (LeaderElectionConfiguration, ClientConnectionConfiguration)
 * and their defaults, v1.36: an empty value is as good as none.
 */
import { z } from "zod";
import { parseDuration } from "../../api/time.ts";
import type { ElectionWish } from "../../client/election/election_config.ts";

const duration = z.string().transform((text, context) => {
  const nanos = parseDuration(text);
  if (nanos === null || nanos < 0) context.addIssue("must be a time such as 15s");
  return nanos === null || nanos === 0 ? undefined : nanos / 1e9;
}).optional();

const text = z.string().transform((value) => value === "" ? undefined : value).optional();

export const leaderElection = z.strictObject({
  leaderElect: z.boolean().optional(),
  leaseDuration: duration.refine(
    (seconds) => seconds === undefined || (seconds >= 2 && Number.isInteger(seconds)),
    "must be whole seconds, at least 2",
  ),
  renewDeadline: duration,
  retryPeriod: duration,
  resourceLock: z.enum(["", "leases"], 'must be "leases"').optional(),
  resourceName: text,
  resourceNamespace: text,
});

/** No client is slowed down here, and all of them speak JSON. */
export const clientConnection = z.strictObject({
  kubeconfig: text,
  acceptContentTypes: z.string().optional(),
  contentType: z.string().optional(),
  qps: z.number().optional(),
  burst: z.int().optional(),
});

export interface ProcessPart {
  readonly election: ElectionWish;
  /** null = not said. */
  readonly kubeconfig: string | null;
}

/** Where in the file the times of the lease are. */
export const TIME_FIELDS = {
  durationSeconds: "leaderElection.leaseDuration",
  renewSeconds: "leaderElection.renewDeadline",
  retrySeconds: "leaderElection.retryPeriod",
} as const;

export function processPart(
  election?: z.infer<typeof leaderElection> | null,
  connection?: z.infer<typeof clientConnection> | null,
): ProcessPart {
  return {
    election: {
      leaderElect: election?.leaderElect,
      durationSeconds: election?.leaseDuration,
      renewSeconds: election?.renewDeadline,
      retrySeconds: election?.retryPeriod,
      namespace: election?.resourceNamespace,
      name: election?.resourceName,
    },
    kubeconfig: connection?.kubeconfig ?? null,
  };
}
