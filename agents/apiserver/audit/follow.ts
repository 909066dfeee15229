/**
 * Closes a request's trail with its answer.
 * In: a trail, a response. Out: the response with its Audit-Id; a stream ends the trail as it ends.
 * Never: changes what is answered.
 */
import type { ApiCall } from "../../api/call.ts";
import type { Resource } from "../../api/resource.ts";
import type { ApiResponse } from "../http/message.ts";
import { apiVersionOf, serve, type VerbAnswer } from "../verbs/core.ts";
import type { AnsweredObject, AuditTrail } from "./trail.ts";

/** Writes down what a call carries; at once, for verbs fill in what is missing. */
export function recordRequest(trail: AuditTrail, call: ApiCall): void {
  if (call.verb === "create" || call.verb === "update") trail.requested(call.object);
  else if (call.verb === "patch") trail.requested(call.patch);
  else if (call.verb === "delete" || call.verb === "deletecollection") {
    trail.requested({ kind: "DeleteOptions", apiVersion: "v1", ...call.options });
  }
}

/** What a verb answered, as it is served. */
export function answeredObject(resource: Resource, answered: VerbAnswer): AnsweredObject {
  switch (answered.kind) {
    case "stored":
      return { kind: "object", object: serve(resource, answered.stored) };
    case "plain":
      return { kind: "object", object: answered.object };
    case "plainList":
    case "list": {
      const { kind } = resource;
      const { metadata } = answered;
      const head = { kind: `${kind}List`, apiVersion: apiVersionOf(resource), metadata };
      const items = answered.kind === "list"
        ? answered.items.map((stored) => serve(resource, stored))
        : answered.items;
      return { kind: "list", head, items };
    }
  }
}

export function followAnswer(trail: AuditTrail, response: ApiResponse): ApiResponse {
  const headers = [...response.headers, "audit-id", trail.id];
  const { body, status } = response;
  if (body.kind !== "stream") {
    trail.complete(status);
    return { ...response, headers };
  }
  trail.started(status);
  const { stream } = body;
  const followed = {
    // Whoever sends a stream closes it, at its end as well as before.
    close() {
      stream.close();
      trail.complete(status);
    },
    [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
  };
  return { ...response, headers, body: { kind: "stream", stream: followed } };
}
