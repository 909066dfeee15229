/**
 * What expressions may ask of the cluster's rules on who may do what.
 * In: a port that answers one question. Out: the value of the variable `authorizer`.
 * Never: decides itself. Source: upstream's library/authz.go (v1.36).
 */
import { checkDns1123Label, checkDns1123Subdomain } from "../../api/names.ts";
import { type Declaration, member, traverses } from "../functions.ts";
import { BOOL, opaque, type OpaqueType, STRING } from "../types.ts";
import { CelError, Opaque } from "../values.ts";

export const AUTHORIZER = opaque("kubernetes.authorization.Authorizer");
export const PATH_CHECK = opaque("kubernetes.authorization.PathCheck");
export const GROUP_CHECK = opaque("kubernetes.authorization.GroupCheck");
export const RESOURCE_CHECK = opaque("kubernetes.authorization.ResourceCheck");
export const DECISION = opaque("kubernetes.authorization.Decision");

/** One question; a path, or a group and what follows it. */
export interface AccessQuestion {
  readonly verb: string;
  /** Of another account than the one that asks. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
  readonly path?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export interface AccessAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  /** Why the question could not be answered. */
  readonly error?: string;
}

export type AskAccess = (question: AccessQuestion) => AccessAnswer;

type Draft = Omit<AccessQuestion, "verb">;

class Asking extends Opaque {
  constructor(readonly type: OpaqueType, readonly ask: AskAccess, readonly draft: Draft) {
    super();
  }
  get typeName(): string {
    return this.type.name;
  }
  override equals(other: Opaque): boolean {
    return other instanceof Asking && JSON.stringify(other.draft) === JSON.stringify(this.draft);
  }
  with(type: OpaqueType, more: Draft): Asking {
    return new Asking(type, this.ask, { ...this.draft, ...more });
  }
}

class Decision extends Opaque {
  readonly typeName = DECISION.name;
  constructor(readonly answer: AccessAnswer) {
    super();
  }
  override equals(other: Opaque): boolean {
    return other instanceof Decision && other.answer.allowed === this.answer.allowed;
  }
}

/** @returns the value of `authorizer` for the one who asks. */
export function authorizerValue(ask: AskAccess): Opaque {
  return new Asking(AUTHORIZER, ask, {});
}

/** @returns the value of `authorizer.requestResource`. */
export function requestResourceValue(ask: AskAccess, draft: Draft): Opaque {
  return new Asking(RESOURCE_CHECK, ask, draft);
}

function filled(text: string, what: string): string {
  if (text.trim() === "") throw new CelError(`${what} must not be empty`);
  return text;
}

function serviceAccount(from: Asking, namespace: string, name: string): Asking {
  if (checkDns1123Subdomain(name).length > 0) {
    throw new CelError("Invalid service account name");
  }
  if (checkDns1123Label(namespace).length > 0) {
    throw new CelError("Invalid service account namespace");
  }
  return from.with(AUTHORIZER, { serviceAccount: { namespace, name } });
}

function narrowing(name: string, field: keyof Draft): Declaration {
  return member(
    name,
    [RESOURCE_CHECK, STRING],
    RESOURCE_CHECK,
    (from: Asking, value: string) => from.with(RESOURCE_CHECK, { [field]: value }),
    {
      cost: field.endsWith("Selector") ? traverses(1, 3) : () => 1,
    },
  );
}

function check({ ask, draft }: Asking, verb: string): Decision {
  return new Decision(ask({ ...draft, verb }));
}

/** Two questions are all that one expression can afford. */
const CHECK_COST = 350_000;
const asked = { cost: () => CHECK_COST };

export const authorizers: readonly Declaration[] = [
  member(
    "path",
    [AUTHORIZER, STRING],
    PATH_CHECK,
    (from: Asking, path: string) => from.with(PATH_CHECK, { path: filled(path, "path") }),
  ),
  member(
    "group",
    [AUTHORIZER, STRING],
    GROUP_CHECK,
    (from: Asking, group: string) => from.with(GROUP_CHECK, { group }),
  ),
  member("serviceAccount", [AUTHORIZER, STRING, STRING], AUTHORIZER, serviceAccount),
  member(
    "resource",
    [GROUP_CHECK, STRING],
    RESOURCE_CHECK,
    (from: Asking, resource: string) =>
      from.with(RESOURCE_CHECK, { resource: filled(resource, "resource") }),
  ),
  narrowing("subresource", "subresource"),
  narrowing("namespace", "namespace"),
  narrowing("name", "name"),
  narrowing("fieldSelector", "fieldSelector"),
  narrowing("labelSelector", "labelSelector"),
  member("check", [PATH_CHECK, STRING], DECISION, check, asked),
  member("check", [RESOURCE_CHECK, STRING], DECISION, check, asked),
  member("allowed", [DECISION], BOOL, ({ answer }: Decision) => answer.allowed),
  member("reason", [DECISION], STRING, ({ answer }: Decision) => answer.reason),
  member("errored", [DECISION], BOOL, ({ answer }: Decision) => answer.error !== undefined),
  member("error", [DECISION], STRING, ({ answer }: Decision) => answer.error ?? ""),
];
