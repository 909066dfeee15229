/**
 * PURE. How a component stands for election: what was said of it, and what is so where nothing was.
 * In: wishes, from flags or a file. Out: a configuration, or which of its times is too long.
 * Never: names a flag or a field; who asked words the problem.
 * Source: component-base LeaderElectionConfiguration (v1.36): leases of 15 s, renewed within 10 s,
 * tried for every 2 s. A lease of another length is divided in the same way.
 */

/** Of one lease, seconds; what is absent follows from the duration. */
export interface LeaseTimes {
  /** How long the others wait for a leader that is silent. Default 15. */
  readonly durationSeconds: number;
  /** How long a leader tries to renew before it gives up. Default 2/3 of the duration. */
  readonly renewSeconds: number;
  /** Between two attempts. Default 2/15 of the duration. */
  readonly retrySeconds: number;
}

/** The lease that says who works. */
export interface ElectionConfig extends LeaseTimes {
  /** Whether several of a component share the work by one doing it all. Default true. */
  readonly leaderElect: boolean;
  /** Default "kube-system". */
  readonly namespace: string;
  /** null = the component's own. */
  readonly name: string | null;
}

/** As far as somebody has said. */
export type ElectionWish = { readonly [Field in keyof ElectionConfig]?: ElectionConfig[Field] };

/** A time that is not shorter than another one, divided by `divisor`. */
export interface ElectionProblem {
  readonly tooLong: "renewSeconds" | "retrySeconds";
  readonly limit: "durationSeconds" | "renewSeconds";
  readonly divisor: number;
}

/** Retries are spread by up to a fifth more, so that candidates do not move in step. */
export const JITTER = 1.2;

/** Fills in what nobody said. */
export function leaseTimes(wish: { readonly [Field in keyof LeaseTimes]?: number }): LeaseTimes {
  const { durationSeconds = 15 } = wish;
  return {
    durationSeconds,
    renewSeconds: wish.renewSeconds ?? durationSeconds * 2 / 3,
    retrySeconds: wish.retrySeconds ?? durationSeconds * 2 / 15,
  };
}

export function electionOf(wish: ElectionWish): ElectionConfig {
  return {
    leaderElect: wish.leaderElect ?? true,
    ...leaseTimes(wish),
    namespace: wish.namespace ?? "kube-system",
    name: wish.name ?? null,
  };
}

/** What the first one says goes before what the second says. */
export function mergeWishes(first: ElectionWish, second: ElectionWish): ElectionWish {
  const said = Object.entries(first).filter(([, value]) => value !== undefined);
  return { ...second, ...Object.fromEntries(said) };
}

/** @returns null where a leader has time to renew, and to try that more than once. */
export function problemOfTimes(times: LeaseTimes): ElectionProblem | null {
  const { durationSeconds, renewSeconds, retrySeconds } = times;
  if (renewSeconds >= durationSeconds) {
    return { tooLong: "renewSeconds", limit: "durationSeconds", divisor: 1 };
  }
  if (retrySeconds * JITTER >= renewSeconds) {
    return { tooLong: "retrySeconds", limit: "renewSeconds", divisor: JITTER };
  }
  return null;
}

/** @param names of the times, where the problem is told. @returns which one, and what it must be */
export function wordProblem(
  { tooLong, limit, divisor }: ElectionProblem,
  names: Readonly<Record<keyof LeaseTimes, string>>,
): { readonly name: string; readonly message: string } {
  const divided = divisor === 1 ? "" : ` divided by ${divisor}`;
  return { name: names[tooLong], message: `must be less than ${names[limit]}${divided}` };
}
