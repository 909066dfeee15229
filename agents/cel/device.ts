/**
 * The language of selectors of devices: expressions over one variable, `device`.
 * In: source text. Out: a program, or why there is none.
 * Never: looks at a device; the scheduler does, the API server only wants to know whether it could.
 * Source: dynamic-resource-allocation/cel of Kubernetes v1.36.
 */
import {
  BOOL,
  compile,
  DYN,
  environment,
  mapOf,
  objectOf,
  type Program,
  QUANTITY,
  STRING,
} from "./mod.ts";

const DEVICE = objectOf("kubernetes.DRADevice", {
  driver: STRING,
  allowMultipleAllocations: BOOL,
  attributes: mapOf(STRING, mapOf(STRING, DYN)),
  capacity: mapOf(STRING, mapOf(STRING, QUANTITY)),
});
const NAMES = environment({ device: DEVICE }, { binds: true });

/** @returns the program, or in upstream's words why the selector is none. */
export function compileDeviceSelector(source: string): Program | string {
  const outcome = compile(source, NAMES);
  if (outcome.kind === "refused") {
    return `compilation failed: ${outcome.problems.map(({ text }) => text).join("\n")}`;
  }
  const { kind } = outcome.program.type;
  if (kind === "bool" || kind === "dyn") return outcome.program;
  return `must evaluate to bool or the unknown type, not ${kind}`;
}
