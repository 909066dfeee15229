/**
 * Static bearer tokens from a file, as kube-apiserver's --token-auth-file has them.
 * In: CSV lines `token,user,uid[,"group1,group2"]`. Out: tokens with their users, or what is wrong.
 * Never: logs a token; problems name the line's number alone.
 * Source: the authentication page of the Kubernetes documentation, static token file.
 */
import type { UserInfo } from "./api/meta.ts";

export interface TokenEntry {
  readonly token: string;
  readonly user: UserInfo;
}

export type TokenFile =
  | { readonly kind: "tokens"; readonly tokens: readonly TokenEntry[] }
  | { readonly kind: "malformed"; readonly problems: readonly string[] };

/** Blank lines and lines that start with # are left out. */
export function parseTokenFile(text: string): TokenFile {
  const tokens: TokenEntry[] = [];
  const problems: string[] = [];
  text.split("\n").forEach((raw, index) => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) return;
    const match = /^([^,"\s]+),([^,"]+),([^,"]*)(?:,(?:"([^"]*)"|([^",]*)))?$/.exec(line);
    if (match === null) {
      problems.push(`line ${index + 1} is not token,user,uid[,"group1,group2"]`);
      return;
    }
    const [, token, name, uid, quoted, plain] = match;
    if (tokens.some((entry) => entry.token === token)) {
      problems.push(`line ${index + 1} repeats an earlier token`);
      return;
    }
    const groups = (quoted ?? plain ?? "").split(",").map((group) => group.trim())
      .filter((group) => group !== "");
    tokens.push({ token, user: { name, uid, groups: [...groups, "system:authenticated"] } });
  });
  return problems.length > 0 ? { kind: "malformed", problems } : { kind: "tokens", tokens };
}
