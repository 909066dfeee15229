/**
 * One member as a command, under etcd's flag names.
 * In: the command line, ETCD_* variables, certificate files. Out: a serving member until a signal.
 * Never: starts with a flag it does not understand; exits before what it acknowledged is durable.
 */
import { denoPorts } from "./deno_ports.ts";
import { ETCD_VERSION, EtcdMember } from "./member/etcd/etcd_member.ts";
import type { TlsFiles } from "./member/config.ts";
import { openMember } from "./member/open.ts";
import { restoreSnapshot } from "./member/restore.ts";
import { formatHelp, parseFlags, type ServerSettings } from "./server_flags.ts";
import { readTlsFiles, watchTlsFiles } from "./tls_files.ts";
import type { TlsServerConfig } from "./wire/http2/server.ts";
import { processMetrics } from "./wire/process_metrics.ts";
import { serveEtcd } from "./wire/serve.ts";

/** A serving member. */
export interface RunningServer {
  /** Ports bound for clients, in the order of the URLs. */
  readonly ports: readonly number[];
  close(): Promise<void>;
}

/**
 * Opens the member and serves clients.
 * Errors: rejects with a message that names the flag, file or address at fault.
 */
export async function startServer(settings: ServerSettings): Promise<RunningServer> {
  const ports = denoPorts({ logLevel: settings.logLevel });
  const opened = await openMember(settings.store, ports);
  try {
    const serving = await serveEtcd(
      {
        listenClientUrls: settings.listenClientUrls,
        listenMetricsUrls: settings.listenMetricsUrls,
        ...(settings.clientTls === null ? {} : { tls: clientTlsOf(settings.clientTls) }),
        processMetrics,
        ...(settings.store.maxRequestBytes === undefined
          ? {}
          : { maxRequestBytes: settings.store.maxRequestBytes }),
      },
      new EtcdMember(opened, ports.timer),
      ports,
    );
    ports.log("info", "serving clients", { urls: settings.listenClientUrls });
    const { clientTls } = settings;
    const stopWatching = clientTls === null ? () => {} : watchTlsFiles(
      clientTls,
      ports,
      (contents) => serving.setTls(clientTlsOf(clientTls, contents)),
    );
    return {
      ports: serving.ports,
      async close() {
        stopWatching();
        await serving.close();
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

function clientTlsOf(files: TlsFiles, contents = readTlsFiles(files)): TlsServerConfig {
  const { cert = "", key = "", ca } = contents;
  return { cert, key, ca, requireCert: files.clientCertAuth };
}

/** `restore FILE [--skip-hash-check] [flags]`: a data directory from an etcd snapshot. */
async function restore(args: readonly string[]): Promise<number> {
  const [file, ...rest] = args;
  if (file === undefined || file.startsWith("-")) {
    console.error("restore needs a file: restore FILE --data-dir DIRECTORY");
    return 2;
  }
  const flags = rest.filter((word) => !/^--skip-hash-check(=true)?$/.test(word));
  const parsed = parseFlags(flags, Deno.env.toObject());
  if (parsed.kind !== "settings") {
    console.error(parsed.kind === "problems" ? parsed.problems.join("\n") : formatHelp());
    return 2;
  }
  try {
    const { store } = parsed.settings;
    const skipHashCheck = flags.length < rest.length;
    const done = await restoreSnapshot(file, store, { ports: denoPorts(), skipHashCheck });
    const { revision, keyCount } = done;
    console.log(`restored ${keyCount} keys at revision ${revision} into ${store.dataDirectory}`);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === "restore") return await restore(args.slice(1));
  const parsed = parseFlags(args, Deno.env.toObject());
  switch (parsed.kind) {
    case "help":
      console.log(formatHelp());
      return 0;
    case "version":
      console.log(`etcd API ${ETCD_VERSION}`);
      return 0;
    case "problems":
      console.error(parsed.problems.join("\n"));
      return 2;
    case "settings":
      break;
  }
  try {
    const server = await startServer(parsed.settings);
    await untilSignal();
    await server.close();
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    Deno.addSignalListener("SIGTERM", resolve);
    Deno.addSignalListener("SIGINT", resolve);
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
