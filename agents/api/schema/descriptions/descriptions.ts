/**
 * Looks up the sentence for a type or a field; fields that mean the same share one.
 * In: full names of types and JSON names of fields. Out: a sentence, or "" where there is none.
 * Never: upstream's sentences. The texts stand in the files beside this one.
 */
import { clusterDescriptions } from "./cluster.ts";
import { coreDescriptions } from "./core.ts";
import { deviceDescriptions } from "./devices.ts";
import { partDescriptions } from "./parts.ts";
import { podDescriptions } from "./pods.ts";
import { policyDescriptions } from "./policies.ts";
import { volumeDescriptions } from "./volumes.ts";
import { workloadDescriptions } from "./workloads.ts";

/** Fields that mean the same wherever they stand. */
const SHARED: Readonly<Record<string, string>> = {
  apiVersion: "The group and version of the API that the object is written in.",
  kind: "What kind of object it is.",
  metadata: "Name, labels and whatever else all objects have.",
  spec: "What is wanted.",
  status: "What there is; written by the system.",
  conditions: "What is true of the object, one entry for each thing that can be.",
  observedGeneration: "The generation of the spec that the status is about.",
  selector: "Labels of the pods that it is about.",
  template: "The shape of the pods.",
  replicas: "How many pods.",
  minReadySeconds: "How long a pod must be ready to count as available.",
  readyReplicas: "Pods that are ready.",
  availableReplicas: "Pods that have been ready for long enough.",
  updatedReplicas: "Pods of the current template.",
  terminatingReplicas: "Pods that are going.",
  fullyLabeledReplicas: "Pods that have all labels of the template.",
  revisionHistoryLimit: "How many old revisions are kept.",
  collisionCount: "How often a name was taken and another had to be found.",
  paramKind: "The kind of the parameters that expressions may read.",
  matchConstraints: "Which requests it is asked about.",
  matchConditions: "Expressions that a request must meet as well.",
  matchResources: "Narrows which requests the policy is asked about.",
  variables: "Named expressions that others may use.",
  failurePolicy: "What happens to a request when an expression fails.",
  policyName: "The policy.",
  paramRef: "The object that the policy's parameters come from.",
  items: "The objects.",
};

/** What is said of one type. */
export interface TypeText {
  readonly sentence: string;
  /** A type whose fields mean the same, "" where there is none. */
  readonly like: string;
  readonly fields: ReadonlyMap<string, string>;
}

let parsed: ReadonlyMap<string, TypeText> | undefined;

function parse(texts: readonly string[]): Map<string, TypeText> {
  const found = new Map<string, TypeText>();
  let fields = new Map<string, string>();
  for (const line of texts.join("\n").split("\n")) {
    if (line === "") continue;
    const [name, ...words] = line.trimStart().split(" ");
    if (line.startsWith(" ")) {
      fields.set(name, words.join(" "));
      continue;
    }
    const like = words[0].startsWith("<") ? words.shift()!.slice(1) : "";
    found.set(name, { sentence: words.join(" "), like, fields: fields = new Map() });
  }
  return found;
}

function texts(): ReadonlyMap<string, TypeText> {
  return parsed ??= parse([
    coreDescriptions,
    workloadDescriptions,
    clusterDescriptions,
    partDescriptions,
    podDescriptions,
    volumeDescriptions,
    policyDescriptions,
    deviceDescriptions,
  ]);
}

const shortName = (typeName: string) => typeName.split(".").slice(-3).join(".");

/** @param typeName full name, such as `io.k8s.api.core.v1.Pod`. */
export function describeType(typeName: string): string {
  return texts().get(shortName(typeName))?.sentence ?? "";
}

/** @param field its name in JSON. Shared words are used where the type itself is described. */
export function describeField(typeName: string, field: string): string {
  const own = texts().get(shortName(typeName));
  for (let text = own; text !== undefined; text = texts().get(text.like)) {
    const sentence = text.fields.get(field);
    if (sentence !== undefined) return sentence;
  }
  return own === undefined && !typeName.endsWith("List") ? "" : SHARED[field] ?? "";
}

/** All that is described, by `group.version.Type`: for the test that none of it is stale. */
export const describedFields: () => ReadonlyMap<string, Readonly<TypeText>> = texts;
