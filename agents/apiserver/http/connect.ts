/**
 * Requests that a kubelet answers: logs here, proxied HTTP in `proxy/`, exec, attach and
 * port-forward over an upgrade (`upgrade.ts`).
 * In: a route to a pod and the kubelets' port. Out: a streamed log, or what to ask the kubelet.
 * Never: lets a request pass that was not authorized.
 */
import { nodes } from "../../api/resources.ts";
import { ApiError, badRequest, internalError } from "../../api/status.ts";
import { admitConnect } from "../admission/connect.ts";
import type { KubeletPort, KubeletRequest } from "../ports.ts";
import { cachedObject, type Core } from "../verbs/core.ts";
import { refuseVerb } from "../verbs/call.ts";
import { readStored } from "../verbs/get.ts";
import type { ApiRequest, ApiResponse, ByteStream } from "./message.ts";
import { checkLogOptions } from "./log_options.ts";
import { proxyRequest } from "./proxy/proxy.ts";
import { parseQuery } from "./query.ts";
import type { ResourceRoute } from "./route.ts";

export function createConnect(core: Core, kubelets: KubeletPort) {
  return async (request: ApiRequest, route: ResourceRoute): Promise<ApiResponse> => {
    refuseVerb({
      resource: route.resource,
      subresource: route.subresource,
      verb: request.method === "GET" ? "get" : "create",
    });
    if (route.subresource === "proxy") {
      const { resource, subresource, namespace, name, rest } = route;
      const target = {
        resource,
        subresource,
        namespace,
        name,
        user: request.user,
        auditAnnotations: request.trail?.annotations,
      };
      await admitConnect(core, target, { query: parseQuery(request.query), proxyPath: rest });
      return await proxyRequest(core, kubelets, request, route);
    }
    if (route.subresource !== "log") throw badRequest("Upgrade request required");
    const kubelet = await kubeletRequest(core, request, route);
    checkLogOptions(kubelet.query, route.name);
    const abort = new AbortController();
    const source = await kubelets.logs(kubelet, abort.signal).catch((error: Error) => {
      throw error instanceof ApiError ? error : internalError(error.message);
    });
    const stream: ByteStream = {
      close: () => abort.abort(),
      [Symbol.asyncIterator]: () => source[Symbol.asyncIterator](),
    };
    return {
      status: 200,
      contentType: "text/plain",
      headers: [],
      body: { kind: "stream", stream },
    };
  };
}

/** What the kubelet is asked. Errors: rejects with ApiError 400, 404. */
export async function kubeletRequest(
  core: Core,
  request: Pick<ApiRequest, "user" | "query">,
  route: ResourceRoute,
): Promise<KubeletRequest> {
  const { resource, namespace, name } = route;
  const target = { resource, subresource: "", namespace, name, user: request.user };
  const pod = (await readStored(core, target)).object;
  const query = parseQuery(request.query);
  const containers: string[] = [
    ...(pod.spec.containers ?? []),
    ...(pod.spec.initContainers ?? []),
    ...(pod.spec.ephemeralContainers ?? []),
  ].map((container: { name: string }) => container.name);
  let container = query.get("container") ?? "";
  if (container === "" && route.subresource !== "portforward") {
    if (pod.spec.containers.length > 1) {
      const names = pod.spec.containers.map((item: { name: string }) => item.name).join(" ");
      throw badRequest(
        `a container name must be specified for pod ${name}, choose one of: [${names}]`,
      );
    }
    container = containers[0];
  } else if (container !== "" && !containers.includes(container)) {
    throw badRequest(`container ${container} is not valid for pod ${name}`);
  }
  const nodeName: string = pod.spec.nodeName ?? "";
  if (nodeName === "") throw badRequest(`pod ${name} does not have a host assigned`);
  const node = cachedObject(core.feed, nodes, { namespace: "", name: nodeName }) ?? null;
  return { nodeName, node, pod, container, query };
}
