/**
 * The versions that the project tells of itself.
 * In: nothing. Out: constants.
 * Never: read from a file at run time, so that a bundle keeps them.
 */
export const BALSA_VERSION = "0.1.0";
/** The Kubernetes API level, as `/version` reports it. */
export const KUBERNETES_VERSION = "v1.36.0";
/** What nodes report as their kubelet's version. */
export const KUBELET_VERSION = `${KUBERNETES_VERSION}+balsa-${BALSA_VERSION}`;
