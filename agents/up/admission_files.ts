/**
 * Opens the configuration file of admission, and the files that it names.
 * In: its path, or none. Out: what plugins are told, and what admission webhooks are shown.
 * Never: starts with a file that can't be read or kept to.
 */
import { dirname, isAbsolute, join } from "node:path";
import { parse, stringify } from "yaml";
import { parseAdmissionConfig } from "../apiserver/admission/config_file.ts";
import { type ApiServerConfig, DEFAULT_CONFIG } from "../apiserver/mod.ts";
import type { SecurityConfig } from "../security_flags.ts";
import { readNamed, refused } from "./named_file.ts";
import { readCredentials, readEndpoint } from "./webhook_files.ts";

const FLAG = "--admission-control-config-file";

export type AdmissionPart = Pick<
  ApiServerConfig,
  "admission" | "podSecurity" | "webhookCredentials"
>;

/** Errors: rejects with StartupError naming the flag and the file. */
export async function readAdmission({ admissionFile }: SecurityConfig): Promise<AdmissionPart> {
  const { admission, podSecurity, webhookCredentials } = DEFAULT_CONFIG;
  if (admissionFile === null) return { admission, podSecurity, webhookCredentials };
  const folder = dirname(admissionFile);
  const read = parseAdmissionConfig(await withPlugins(admissionFile));
  if (read.kind === "malformed") throw refused(FLAG, admissionFile, read.problems);
  const { settings: { imagePolicy, ...settings }, webhookFiles } = read;
  const shown = new Map(
    await Promise.all(
      Object.entries(webhookFiles).map(async ([plugin, path]) =>
        [plugin, await readCredentials(FLAG, placed(folder, path))] as const
      ),
    ),
  );
  return {
    admission: { ...settings, imagePolicy: await readImagePolicy(folder, imagePolicy) },
    podSecurity: read.podSecurity ?? podSecurity,
    webhookCredentials: (plugin, hostPort) => shown.get(plugin)?.(hostPort) ?? {},
  };
}

async function readImagePolicy<T extends { readonly kubeconfigFile: string }>(
  folder: string,
  policy: T | null,
) {
  if (policy === null) return null;
  const { kubeconfigFile, ...rest } = policy;
  return { ...rest, endpoint: await readEndpoint(FLAG, placed(folder, kubeconfigFile)) };
}

/** The file's text with those in it that its plugins name. */
async function withPlugins(path: string): Promise<string> {
  const text = await readNamed(FLAG, path);
  let document: { plugins?: unknown } | null;
  try {
    document = parse(text);
  } catch {
    return text;
  }
  if (!Array.isArray(document?.plugins)) return text;
  for (const plugin of document.plugins) {
    if (typeof plugin?.path !== "string" || plugin.path === "") continue;
    const named = placed(dirname(path), plugin.path);
    const inner = await readNamed(FLAG, named);
    delete plugin.path;
    try {
      plugin.configuration = parse(inner);
    } catch {
      throw refused(FLAG, named, ["is not YAML"]);
    }
  }
  return stringify(document);
}

function placed(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}
