/**
 * Bootstrap tokens: what a machine joins a cluster with, kept as secrets of kube-system.
 * In: a token `ID.SECRET`, the secrets as the caches hold them. Out: its user, or not ours.
 * Never: takes an expired token, or one that is not meant for authentication.
 * Source: plugin/pkg/auth/authenticator/token/bootstrap (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import { AUTHENTICATED_GROUP } from "./authorize.ts";
import { isSame, type TokenSource } from "./authenticate.ts";

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const SECRET_PREFIX = "bootstrap-token-";
const SECRET_TYPE = "bootstrap.kubernetes.io/token";
const DEFAULT_GROUP = "system:bootstrappers";
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export interface BootstrapOptions {
  /** A secret of the namespace kube-system by its name. */
  readonly secret: (name: string) => KubeObject | undefined;
  readonly nowMillis: () => number;
}

export function bootstrapTokenSource({ secret, nowMillis }: BootstrapOptions): TokenSource {
  return {
    verify(token) {
      const match = TOKEN.exec(token);
      if (match === null) return null;
      const [, id, secretPart] = match;
      const found = secret(SECRET_PREFIX + id);
      if (found === undefined || !isUsable(found, id, nowMillis())) return null;
      if (!isSame(dataOf(found, "token-secret"), secretPart)) return null;
      const groups = extraGroupsOf(found);
      if (groups === null) return null;
      return {
        kind: "accepted",
        user: {
          name: `system:bootstrap:${id}`,
          groups: [DEFAULT_GROUP, ...groups, AUTHENTICATED_GROUP],
        },
      };
    },
  };
}

function isUsable(secret: KubeObject, id: string, nowMillis: number): boolean {
  if (secret.metadata.deletionTimestamp !== undefined || secret.type !== SECRET_TYPE) return false;
  if (dataOf(secret, "token-id") !== id) return false;
  if (dataOf(secret, "usage-bootstrap-authentication") !== "true") return false;
  const expiration = dataOf(secret, "expiration");
  // A time that can't be read has passed.
  return expiration === "" || Date.parse(expiration) > nowMillis;
}

/** @returns null where one of them is no group that such a token may name */
function extraGroupsOf(secret: KubeObject): readonly string[] | null {
  const text = dataOf(secret, "auth-extra-groups");
  const groups = text.split(",").map((group) => group.trim()).filter((group) => group !== "");
  return groups.every((group) => GROUP.test(group)) ? [...new Set(groups)].sort() : null;
}

function dataOf(secret: KubeObject, name: string): string {
  const text = secret.data?.[name];
  if (typeof text !== "string") return "";
  try {
    return atob(text);
  } catch {
    return "";
  }
}
