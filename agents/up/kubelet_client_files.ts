/**
 * Opens the files that say how an API server is known to kubelets, and they to it.
 * In: the flags that name them. Out: a KubeletClientConfig.
 * Never: starts with a file that can't be read.
 */
import { DEFAULT_KUBELET_CLIENT, type KubeletClientConfig } from "../apiserver/mod.ts";
import type { KubeletFlags } from "../apiserver_flags.ts";
import { readNamed } from "./named_file.ts";

/** Errors: rejects with StartupError naming the flag and the file. */
export async function readKubeletClient(flags?: KubeletFlags): Promise<KubeletClientConfig> {
  if (flags === undefined) return DEFAULT_KUBELET_CLIENT;
  const { clientCertificateFile, clientKeyFile, certificateAuthorityFile: caFile } = flags;
  const client = clientCertificateFile === null || clientKeyFile === null ? null : {
    certificate: await readNamed("--kubelet-client-certificate", clientCertificateFile),
    key: await readNamed("--kubelet-client-key", clientKeyFile),
  };
  const ca = caFile === null ? null : await readNamed("--kubelet-certificate-authority", caFile);
  return { client, ca, addressTypes: flags.preferredAddressTypes };
}
