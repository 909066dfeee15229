/**
 * The authorizers of a server, one after the other: the first with an opinion decides.
 * In: their list, the cluster's own roles and nodes. Out: one Authorizer.
 * Never: lets a later one overrule a denial; asks anybody about a master.
 * Source: apiserver's authorization/union, pkg/kubeapiserver/authorizer (v1.36).
 */
import type { UserInfo } from "../../../api/meta.ts";
import type { Clock, Log } from "../../ports.ts";
import type { AccessAttributes, Decision } from "../authorize.ts";
import { isMaster, type PolicyAuthorizer } from "../rbac/policy_authorizer.ts";
import { AccessWebhook, type AccessWebhookConfig } from "./access_webhook.ts";

export type AuthorizerRow =
  | { readonly type: "Node" | "RBAC" | "AlwaysAllow" | "AlwaysDeny" }
  | { readonly type: "Webhook"; readonly webhook: AccessWebhookConfig };

/** Every cluster's, where nothing else is said. */
export const DEFAULT_AUTHORIZERS: readonly AuthorizerRow[] = [{ type: "Node" }, { type: "RBAC" }];

const ALLOWED: Decision = { allowed: true };
const NO_OPINION: Decision = { allowed: false };

interface Link {
  /** Waits where it has to. */
  readonly decide: (asked: AccessAttributes) => Decision | Promise<Decision>;
  /** For those who can't wait. */
  readonly recall: (asked: AccessAttributes) => Decision;
  readonly close?: () => void;
}

/** @returns `own` itself where the list is that of every cluster */
export function chainAuthorizers(
  rows: readonly AuthorizerRow[],
  own: PolicyAuthorizer,
  ports: { readonly clock: Clock; readonly log: Log },
): PolicyAuthorizer {
  if (rows.length === 2 && rows.every(({ type }) => type === "Node" || type === "RBAC")) return own;
  const links = rows.map((row) => linkOf(row, own, ports));
  const has = (type: AuthorizerRow["type"]) => rows.some((row) => row.type === type);
  return {
    roles: own.roles,
    nodes: own.nodes,
    authorize(asked) {
      if (isMaster(asked.user)) return ALLOWED;
      for (const { recall } of links) {
        const decision = recall(asked);
        if (decision.allowed || decision.isDenied) return decision;
      }
      return NO_OPINION;
    },
    decide: (asked) => isMaster(asked.user) ? ALLOWED : decideFrom(0, links, asked),
    rulesFor(user: UserInfo, namespace: string) {
      const rules = has("RBAC") || isMaster(user)
        ? own.rulesFor(user, namespace)
        : { resourceRules: [], nonResourceRules: [] };
      // What a webhook would allow can't be listed.
      return has("Webhook") ? { ...rules, incomplete: true } : { incomplete: false, ...rules };
    },
    close() {
      for (const { close } of links) close?.();
    },
  };
}

function linkOf(
  row: AuthorizerRow,
  own: PolicyAuthorizer,
  ports: { readonly clock: Clock; readonly log: Log },
): Link {
  const plain = (look: Link["recall"]): Link => ({ decide: look, recall: look });
  switch (row.type) {
    case "Node":
      return plain((asked) => own.nodes(asked));
    case "RBAC":
      return plain((asked) => own.roles.authorize(asked));
    case "AlwaysAllow":
      return plain(() => ALLOWED);
    case "AlwaysDeny":
      return plain(() => NO_OPINION);
    case "Webhook": {
      const webhook = new AccessWebhook(row.webhook, ports);
      return {
        decide: (asked) => webhook.decide(asked),
        recall: (asked) => webhook.recall(asked),
        close: () => webhook.close(),
      };
    }
  }
}

/** Reasons of those without an opinion are told together, as the refusal's. */
function decideFrom(
  first: number,
  links: readonly Link[],
  asked: AccessAttributes,
  reasons: readonly string[] = [],
): Decision | Promise<Decision> {
  let told = reasons;
  for (let i = first; i < links.length; i++) {
    const pending = links[i].decide(asked);
    if (pending instanceof Promise) {
      return pending.then((decision) => {
        if (decision.allowed || decision.isDenied) return decision;
        return decideFrom(i + 1, links, asked, withReason(told, decision));
      });
    }
    if (pending.allowed || pending.isDenied) return pending;
    told = withReason(told, pending);
  }
  return told.length === 0 ? NO_OPINION : { allowed: false, reason: told.join("\n") };
}

function withReason(reasons: readonly string[], { reason }: Decision): readonly string[] {
  return reason === undefined || reason === "" ? reasons : [...reasons, reason];
}
