/**
 * Admission of connections: exec, attach, port-forward and proxied HTTP.
 * In: a route and its query. Out: nothing, or a refusal.
 * Never: opens the connection. Source: apiserver's endpoints/handlers/rest.go (ConnectResource).
 */
import type { CallTarget } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Core } from "../verbs/core.ts";
import { admitWhole } from "./admission.ts";

const FLAGS = ["stdin", "stdout", "stderr", "tty"] as const;

/**
 * @param proxyPath what follows `/proxy` in the path
 * Errors: rejects with ApiError.
 */
export async function admitConnect(
  core: Core,
  target: CallTarget,
  asked: { readonly query: URLSearchParams; readonly proxyPath?: string },
): Promise<void> {
  await admitWhole(core, {
    ...target,
    operation: "CONNECT",
    object: optionsOf(target, asked),
    old: null,
    options: {},
    dryRun: false,
  });
}

/** The options that the query stands for, as an object of the subresource's own kind. */
function optionsOf(
  { resource, subresource }: CallTarget,
  { query, proxyPath = "" }: { readonly query: URLSearchParams; readonly proxyPath?: string },
): KubeObject {
  const { kind = "" } = resource.subresources.find(({ name }) => name === subresource) ?? {};
  const container = query.get("container") ?? "";
  const command = query.getAll("command");
  const ports = query.getAll("ports").flatMap((text) => text.split(",")).map(Number);
  const options = {
    kind,
    apiVersion: "v1",
    ...Object.fromEntries(
      FLAGS.filter((flag) => ["true", "1"].includes(query.get(flag) ?? "")).map((flag) => [
        flag,
        true,
      ]),
    ),
    ...(container === "" ? {} : { container }),
    ...(command.length === 0 ? {} : { command }),
    ...(ports.length === 0 ? {} : { ports }),
    ...(proxyPath === "" ? {} : { path: proxyPath }),
  };
  // Options are no object of the store: they have no metadata.
  return options as unknown as KubeObject;
}
