/**
 * A webhook that judges the images of pods: it is sent an ImageReview, and its word is kept.
 * In: pods about to be written, their ephemeral containers. Out: nothing, or 403 with its reason.
 * Never: shows annotations that are not meant for it. Off by default.
 * Source: plugin/pkg/admission/imagepolicy (v1.36).
 */
import { z } from "zod";
import type { KubeObject } from "../../../api/meta.ts";
import { pods } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { ExpiringCache } from "../../outgoing/expiring_cache.ts";
import { RemoteWebhook } from "../../outgoing/remote_webhook.ts";
import type { Core } from "../../verbs/core.ts";
import { type AdmissionPlugin, type AdmissionRequest, annotate } from "../admission.ts";
import type { ImagePolicyConfig } from "../settings.ts";

const AUDIT_PREFIX = "imagepolicywebhook.image-policy.k8s.io/";
const OWN_ANNOTATION = ".image-policy.k8s.io/";
const FAILED_OPEN = "alpha.image-policy.k8s.io/failed-open";
const TIMEOUT_MILLIS = 30_000;
const ATTEMPTS = 5;
const FACTOR = 1.5;
const MAX_KEPT = 1024;

const REVIEW = z.object({
  status: z.object({
    allowed: z.boolean().default(false),
    reason: z.string().default(""),
    auditAnnotations: z.record(z.string(), z.string()).default({}),
  }),
});

type Verdict = z.output<typeof REVIEW>["status"];

/** @param config null = it lets everything pass, and can't be enabled */
export function imagePolicyWebhook(config: ImagePolicyConfig | null): AdmissionPlugin {
  const name = "ImagePolicyWebhook";
  if (config === null) return { name };
  let policy: ImagePolicy | null = null;
  return {
    name,
    validate(request, core) {
      const { resource, subresource, operation, object } = request;
      if (resource !== pods || object === null) return;
      if (subresource !== "" && subresource !== "ephemeralcontainers") return;
      if (operation !== "CREATE" && operation !== "UPDATE") return;
      policy ??= new ImagePolicy(config, core);
      return policy.judge(request, object);
    },
  };
}

class ImagePolicy {
  readonly #config: ImagePolicyConfig;
  readonly #core: Core;
  readonly #webhook: RemoteWebhook;
  readonly #known: ExpiringCache<Verdict>;

  constructor(config: ImagePolicyConfig, core: Core) {
    this.#config = config;
    this.#core = core;
    this.#webhook = new RemoteWebhook(config.endpoint, core.clock);
    this.#known = new ExpiringCache(() => core.nowMillis, MAX_KEPT);
  }

  /** Errors: rejects with ApiError 403. */
  async judge(request: AdmissionRequest, pod: KubeObject): Promise<void> {
    const refused = (reason: string) =>
      forbidden({ group: "", resource: "pods" }, request.name || pod.metadata.name || "", reason);
    const spec = specOf(request, pod);
    const { allowTtlMillis, denyTtlMillis, defaultAllow } = this.#config;
    let verdict: Verdict;
    try {
      verdict = await this.#known.get(
        JSON.stringify(spec),
        () => this.#ask(spec),
        ({ allowed }) => allowed ? allowTtlMillis : denyTtlMillis,
      );
    } catch (error) {
      const { message } = error as Error;
      this.#core.log("warn", "the image policy webhook failed", { error: message });
      if (!defaultAllow) throw refused(message);
      annotate(request, `${AUDIT_PREFIX}failed-open`, "true");
      (pod.metadata.annotations ??= {})[FAILED_OPEN] = "true";
      return;
    }
    for (const [key, value] of Object.entries(verdict.auditAnnotations)) {
      annotate(request, AUDIT_PREFIX + key, value);
    }
    if (verdict.allowed) return;
    throw refused(
      verdict.reason === ""
        ? "one or more images rejected by webhook backend"
        : `image policy webhook backend denied one or more images: ${verdict.reason}`,
    );
  }

  /** Errors: rejects where it gave no answer. */
  async #ask(spec: object): Promise<Verdict> {
    const body = JSON.stringify({
      kind: "ImageReview",
      apiVersion: "imagepolicy.k8s.io/v1alpha1",
      metadata: { creationTimestamp: null },
      spec,
      status: { allowed: false },
    });
    const { retryBackoffMillis: firstDelayMillis } = this.#config;
    const retries = { attempts: ATTEMPTS, firstDelayMillis, factor: FACTOR };
    const answer = await this.#webhook.ask(body, TIMEOUT_MILLIS, retries);
    if (answer.kind === "failed") throw new Error(answer.message);
    const review = REVIEW.safeParse(answer.value);
    if (!review.success) throw new Error("the answer is no ImageReview");
    return review.data.status;
  }
}

function specOf({ subresource, namespace }: AdmissionRequest, pod: KubeObject) {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  const judged = subresource === "" ? [...containers, ...initContainers] : ephemeralContainers;
  const annotations = Object.entries(pod.metadata.annotations ?? {})
    .filter(([key]) => key.includes(OWN_ANNOTATION));
  return {
    containers: judged.map(({ image }: { image: string }) => ({ image })),
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
    namespace,
  };
}
