/**
 * The query of a GET of a pod's log, checked before a kubelet is asked.
 * In: the query and the pod's name. Out: nothing, or the refusal. Never: reads a log.
 * Source: ValidatePodLogOptions of pkg/apis/core/validation (v1.36).
 */
import type { FieldError } from "../../api/resource.ts";
import { badRequest, invalid } from "../../api/status.ts";

/** Least values, and how a smaller one is refused. */
const LEAST: readonly (readonly [string, number, string])[] = [
  ["tailLines", 0, "must be greater than or equal to 0"],
  ["limitBytes", 1, "must be greater than 0"],
  ["sinceSeconds", 1, "must be greater than 0"],
];

/** Errors: throws ApiError 400 for what is no number, 422 for what is out of range. */
export function checkLogOptions(query: URLSearchParams, podName: string): void {
  const errors: FieldError[] = [];
  for (const [path, least, detail] of LEAST) {
    const text = query.get(path);
    if (text === null || text === "") continue;
    if (!/^[+-]?\d+$/.test(text)) {
      const quoted = JSON.stringify(text);
      throw badRequest(`strconv.ParseInt: parsing ${quoted}: invalid syntax`);
    }
    const value = Number(text);
    if (value < least) errors.push({ type: "invalid", path, value, detail });
  }
  if (query.get("sinceSeconds") && query.get("sinceTime")) {
    const detail = "at most one of `sinceTime` or `sinceSeconds` may be specified";
    errors.push({ type: "forbidden", path: "", detail });
  }
  if (errors.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, podName, errors);
}
