/**
 * Verbs on resources whose versions a webhook converts.
 * In: a call. Out: the same answers, once every object in them has the face that was asked for.
 * Never: looked at by any other resource. Source: apiextensions' conversion (v1.36).
 */
import type { ApiCall } from "../../api/call.ts";
import type { Resource } from "../../api/resource.ts";
import { convertStored } from "./webhook.ts";
import { cacheOf, type Core, prefixOf, type VerbAnswer } from "../verbs/core.ts";

/** Converts what a verb may look at before it runs, and what it answers. */
export async function performConverted(
  core: Core,
  call: ApiCall,
  run: () => Promise<VerbAnswer>,
): Promise<VerbAnswer> {
  const { resource, verb } = call;
  if (verb === "list" || verb === "deletecollection") await convertState(core, resource);
  const answer = await run();
  if (answer.kind === "stored") await convertStored(core, resource, [answer.stored.object]);
  else if (answer.kind === "list") {
    await convertStored(core, resource, answer.items.map(({ object }) => object));
  }
  return answer;
}

/** Converts all that is stored of a resource. */
export async function convertState(core: Core, resource: Resource): Promise<void> {
  const state = cacheOf(core, resource).select({ keyPrefix: prefixOf(resource) });
  await convertStored(core, resource, state.map(({ object }) => object));
}
