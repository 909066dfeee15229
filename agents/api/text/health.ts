/**
 * What `/healthz`, `/livez` and `/readyz` say: one named check after another, and the verdict.
 * In: checks and the query of who asks. Out: whether all is well, and the text.
 * Never: tells a stranger why a check failed; that is asked of the one check.
 * Source: apiserver's server/healthz (v1.36).
 */

/** Each answers null, or what is wrong. */
export type HealthChecks = Readonly<Record<string, () => string | null>>;

export interface Health {
  readonly isGood: boolean;
  readonly text: string;
}

/**
 * Runs checks, but for those that the query excludes.
 * @param asked.kind `healthz`, `livez` or `readyz`, @param asked.query without the question mark
 * @returns "ok", or every check with its outcome where one failed or the query says `verbose`
 */
export function formatHealth(
  checks: HealthChecks,
  { kind, query }: { readonly kind: string; readonly query: string },
): Health {
  const parameters = new URLSearchParams(query);
  const excluded = new Set(parameters.getAll("exclude"));
  const lines = ["[+]ping ok"];
  let isGood = true;
  for (const name of Object.keys(checks)) {
    const problem = excluded.has(name) ? null : checks[name]();
    if (problem !== null) isGood = false;
    lines.push(problem === null ? `[+]${name} ok` : `[-]${name} failed: reason withheld`);
  }
  if (isGood && !parameters.has("verbose")) return { isGood, text: "ok" };
  const verdict = `${kind} check ${isGood ? "passed" : "failed"}\n`;
  return { isGood, text: lines.join("\n") + "\n" + verdict };
}

/** Runs one check by its name. @returns null where there is none of it. */
export function formatCheck(checks: HealthChecks, name: string): Health | null {
  if (name !== "ping" && !Object.hasOwn(checks, name)) return null;
  const problem = name === "ping" ? null : checks[name]();
  return { isGood: problem === null, text: problem ?? "ok" };
}
