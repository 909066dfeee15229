/**
 * PURE. Gives each namespace its service account `default` and the configmap `kube-root-ca.crt`.
 * In: a namespace's key, the view, the authority's certificate. Out: creates and one repair.
 * Never: writes into a namespace that is on its way out.
 * Source: pkg/controller/serviceaccount and certificates/rootcacertpublisher (v1.36).
 */
import { configMaps, namespaces, serviceAccounts } from "../../api/resources.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Action, Controller, PlanInput } from "../controller.ts";

const ACCOUNT = "default";
const ROOT_CA = "kube-root-ca.crt";
const DESCRIPTION = "kubernetes.io/description";
const DESCRIPTION_TEXT = "Contains a CA bundle that can be used to verify the kube-apiserver " +
  "when using internal endpoints such as the internal service IP or kubernetes.default.svc. " +
  "No other usage is guaranteed across distributions of Kubernetes clusters.";

/** The row of run.ts for service accounts. */
export const serviceAccountController: Controller = {
  name: "service-account-controller",
  workers: 2,
  watches: [
    { resource: namespaces, keysOf: (namespace) => [namespace.metadata.name!] },
    {
      resource: serviceAccounts,
      keysOf: (account) => account.metadata.name === ACCOUNT ? [account.metadata.namespace!] : [],
    },
  ],
  plan: planServiceAccount,
};

/** @param key the namespace's name. */
export function planServiceAccount(key: string, input: PlanInput): Action[] {
  if (!isActive(input, key)) return [];
  const place = { namespace: key, name: ACCOUNT };
  if (input.view.get(serviceAccounts, place) !== undefined) return [];
  return [{
    kind: "create",
    resource: serviceAccounts,
    object: { apiVersion: "v1", kind: "ServiceAccount", metadata: place },
    mayExist: true,
  }];
}

/**
 * The row of run.ts for the authority's certificate.
 * @param caPem PEM of the authority that signs the API server's certificate.
 */
export function rootCaController(caPem: string): Controller {
  return {
    name: "root-ca-certificate-publisher-controller",
    workers: 2,
    watches: [
      { resource: namespaces, keysOf: (namespace) => [namespace.metadata.name!] },
      {
        resource: configMaps,
        keysOf: (map) => map.metadata.name === ROOT_CA ? [map.metadata.namespace!] : [],
      },
    ],
    plan: (key, input) => planRootCa(key, input, caPem),
  };
}

/** @param key the namespace's name. */
export function planRootCa(key: string, input: PlanInput, caPem: string): Action[] {
  if (!isActive(input, key)) return [];
  const place = { namespace: key, name: ROOT_CA };
  const annotations = { [DESCRIPTION]: DESCRIPTION_TEXT };
  const data = { "ca.crt": caPem };
  const found = input.view.get(configMaps, place);
  if (found === undefined) {
    return [{
      kind: "create",
      resource: configMaps,
      object: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { ...place, annotations },
        data,
      },
      mayExist: true,
    }];
  }
  const keys = Object.keys(found.data ?? {});
  const intact = keys.length === 1 && found.data["ca.crt"] === caPem &&
    found.metadata.annotations?.[DESCRIPTION] !== undefined;
  if (intact) return [];
  const repaired: KubeObject = {
    ...found,
    metadata: {
      ...found.metadata,
      annotations: { ...found.metadata.annotations, ...annotations },
    },
    data,
  };
  return [{ kind: "update", resource: configMaps, object: repaired }];
}

function isActive(input: PlanInput, name: string): boolean {
  const namespace = input.view.get(namespaces, { name });
  return namespace !== undefined && namespace.metadata.deletionTimestamp === undefined &&
    namespace.status?.phase !== "Terminating";
}
