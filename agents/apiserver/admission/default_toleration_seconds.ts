/**
 * Lets pods stay for a while on a node that stops answering.
 * In: pods about to be created or changed. Out: two tolerations, unless the pod has its own.
 * Never: changes a toleration that is there. Source: plugin/pkg/admission/defaulttolerationseconds.
 */
import { pods } from "../../api/resources.ts";
import type { AdmissionPlugin } from "./admission.ts";

const TOLERATION_SECONDS = 300;
const TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] as const;

interface Toleration {
  readonly key?: string;
  readonly effect?: string;
}

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  admit(request) {
    if (request.resource !== pods || request.operation !== "CREATE" || request.subresource !== "") {
      return;
    }
    const spec = (request.object!.spec ??= {});
    const standing: readonly Toleration[] = spec.tolerations ?? [];
    const missing = TAINTS.filter((key) => !standing.some((item) => covers(item, key)));
    if (missing.length === 0) return;
    spec.tolerations = [
      ...standing,
      ...missing.map((key) => ({
        key,
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: TOLERATION_SECONDS,
      })),
    ];
  },
};

function covers({ key, effect }: Toleration, taint: string): boolean {
  return (!key || key === taint) && (!effect || effect === "NoExecute");
}
