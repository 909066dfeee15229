/**
 * The API server as components in its own process see it: calls without HTTP and encoding.
 * In: ApiCalls with objects that stay the caller's. Out: frozen, shared objects and watch streams.
 * Never: skips authorization, admission or rules.
 */
import type {
  ApiAnswer,
  ApiCall,
  ApiPort,
  Binding,
  CallTarget,
  PodReport,
  WatchOptions,
  WatchStream,
} from "../api/call.ts";
import type { KubeObject, UserInfo } from "../api/meta.ts";
import { pods } from "../api/resources.ts";
import type { Verb } from "../api/resource.ts";
import { accessForbidden, unknownPath } from "../api/status.ts";
import { convertStored } from "./custom/webhook.ts";
import { copyJson } from "./registry.ts";
import { perform } from "./verbs/call.ts";
import { type Core, toApiAnswer } from "./verbs/core.ts";
import { bindMany } from "./verbs/special/bind.ts";
import { reportMany } from "./verbs/special/report.ts";
import { watchObjects } from "./verbs/watch.ts";
import { servedStream } from "./cache/served_stream.ts";

/** The inner face of an API server. */
export function createPort(core: Core): ApiPort {
  return {
    async call(asked: ApiCall): Promise<ApiAnswer> {
      const call = asked.resource.isStandIn ? withRow(core, asked) : asked;
      authorizeCall(core, call, call.verb);
      const owned = call.verb === "create" || call.verb === "update"
        ? { ...call, object: copyJson(call.object) }
        : call;
      return toApiAnswer(call.resource, await perform(core, owned));
    },

    async watch(asked: CallTarget, options: WatchOptions): Promise<WatchStream> {
      const target = asked.resource.isStandIn ? withRow(core, asked) : asked;
      authorizeCall(core, target, "watch");
      const { resource } = target;
      const convert = resource.custom?.asksWebhook
        ? (objects: readonly KubeObject[]) => convertStored(core, resource, objects)
        : undefined;
      return servedStream(resource, await watchObjects(core, target, options), convert);
    },

    bindMany(user: UserInfo, bindings: readonly Binding[]): Promise<readonly (null | Error)[]> {
      const target = { resource: pods, subresource: "binding", namespace: "", name: "", user };
      authorizeCall(core, target, "create");
      return bindMany(core, user, bindings);
    },

    reportMany(
      user: UserInfo,
      reports: readonly PodReport[],
    ): Promise<readonly (null | Error)[]> {
      const target = { resource: pods, namespace: "", name: "", user };
      authorizeCall(core, { ...target, subresource: "status" }, "patch");
      if (reports.some(({ evicts }) => evicts)) {
        authorizeCall(core, { ...target, subresource: "" }, "delete");
      }
      return reportMany(core, user, reports);
    },
  };
}

/** The call on the row that a stand-in names. Errors: throws ApiError 404. */
function withRow<T extends CallTarget>(core: Core, call: T): T {
  const { group, version, plural } = call.resource;
  const resource = core.custom.find(group, version, plural);
  if (resource === undefined) throw unknownPath();
  return { ...call, resource };
}

/** Errors: throws ApiError 403. */
function authorizeCall(core: Core, target: CallTarget, verb: Verb): void {
  const { user, subresource, namespace, name } = target;
  const { group, plural: resource } = target.resource;
  const access = { verb, group, resource, subresource, namespace, name };
  const decision = core.authorizer.authorize({ ...access, user });
  if (!decision.allowed) {
    throw accessForbidden({ ...access, user: user.name, reason: decision.reason });
  }
}
