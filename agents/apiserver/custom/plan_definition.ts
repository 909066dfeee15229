/**
 * PURE. What a definition's status should say: which names are its own, whether it is served.
 * In: a definition, the others of its group, the time. Out: the next status, or null.
 * Never: takes a name from a definition that has it.
 * Source: apiextensions-apiserver's controller/status and controller/establish (v1.36).
 */
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
} from "../../api/kinds/extensions/custom_resource_definition.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import { formatTime } from "../../api/time.ts";

type Status = NonNullable<CustomResourceDefinition["status"]>;
type Condition = NonNullable<Status["conditions"]>[number];
type Verdict = Pick<Condition, "type" | "status" | "reason" | "message">;

interface Taken {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

function takenBy(others: readonly CustomResourceDefinition[]): Taken {
  const names = others.map(({ status }) => status?.acceptedNames).filter((one) =>
    one !== undefined
  );
  return {
    resources: new Set(
      names.flatMap((
        { plural, singular = "", shortNames = [] },
      ) => [plural, singular, ...shortNames]),
    ),
    kinds: new Set(names.flatMap(({ kind, listKind = "" }) => [kind, listKind])),
  };
}

/**
 * The status that a definition should have.
 * @param others all other definitions of its group.
 * @returns null where it has it already
 */
export function planStatus(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
  nowMillis: number,
): Status | null {
  const { status } = definition;
  const { names, verdict } = acceptNames(definition, takenBy(others));
  const verdicts = [verdict, ...establish(definition, verdict)];
  const conditions = verdicts.reduce(
    (known, next) => withCondition(known, next, nowMillis),
    status?.conditions ?? [],
  );
  const next: Status = { ...status!, acceptedNames: names, conditions };
  return equalJson(next, status) ? null : next;
}

/** The conditions with one of them said anew. */
export function withCondition(
  known: readonly Condition[],
  next: Verdict,
  nowMillis: number,
): Condition[] {
  const old = known.find(({ type }) => type === next.type);
  const lastTransitionTime = old?.status === next.status
    ? old.lastTransitionTime
    : formatTime(nowMillis);
  const condition = { ...next, lastTransitionTime };
  if (old === undefined) return [...known, condition];
  return known.map((one) => one === old ? { ...old, ...condition } : one);
}

function acceptNames(
  { spec, status }: CustomResourceDefinition,
  taken: Taken,
): { names: CustomResourceDefinitionNames; verdict: Verdict } {
  const wanted = spec!.names;
  const accepted: Partial<CustomResourceDefinitionNames> = status?.acceptedNames ?? {};
  const names: Record<string, unknown> = { ...accepted };
  let problem: Pick<Verdict, "reason" | "message"> | undefined;
  const claim = (
    field: "plural" | "singular" | "kind" | "listKind",
    used: ReadonlySet<string>,
  ) => {
    const name = wanted[field];
    if (name === undefined || name === accepted[field] || !used.has(name)) names[field] = name;
    else {
      const reason = `${field[0].toUpperCase()}${field.slice(1)}Conflict`;
      problem = { reason, message: `${JSON.stringify(name)} is already in use` };
    }
  };
  claim("plural", taken.resources);
  claim("singular", taken.resources);
  const mine = new Set(accepted.shortNames);
  const clashes = (wanted.shortNames ?? []).filter((name) =>
    !mine.has(name) && taken.resources.has(name)
  );
  if (clashes.length === 0) names.shortNames = wanted.shortNames;
  else {
    const texts = clashes.map((name) => `${JSON.stringify(name)} is already in use`);
    const message = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
    problem = { reason: "ShortNamesConflict", message };
  }
  claim("kind", taken.kinds);
  claim("listKind", taken.kinds);
  names.categories = wanted.categories;
  for (const name of Object.keys(names)) if (names[name] === undefined) delete names[name];
  for (const field of ["plural", "kind"]) names[field] ??= "";
  return {
    names: names as unknown as CustomResourceDefinitionNames,
    verdict: problem === undefined
      ? {
        type: "NamesAccepted",
        status: "True",
        reason: "NoConflicts",
        message: "no conflicts found",
      }
      : { type: "NamesAccepted", status: "False", ...problem },
  };
}

/** Once established, a definition stays so. */
function establish({ status }: CustomResourceDefinition, names: Verdict): Verdict[] {
  const old = status?.conditions?.find(({ type }) => type === "Established");
  if (old?.status === "True") return [];
  if (names.status === "True") {
    return [{
      type: "Established",
      status: "True",
      reason: "InitialNamesAccepted",
      message: "the initial names have been accepted",
    }];
  }
  return [{
    type: "Established",
    status: "False",
    reason: "NotAccepted",
    message: "not all names are accepted",
  }];
}
