/**
 * Certificate files that are rotated while the process runs.
 * In: paths. Out: their contents, and new contents soon after the files changed.
 * Never: hands over a key that is not the certificate's, as between the two writes of a rotation;
 * what was good stays in use until something good replaces it.
 * Source: etcd reads its files at each handshake; looking once a second comes to the same.
 */
import { readFileSync, statSync } from "node:fs";
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { TlsFiles } from "./member/config.ts";
import type { Log, Timer } from "./ports.ts";

const LOOK_MILLIS = 1_000;

/** PEM texts; absent where no file is named. */
export interface TlsContents {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/** Errors: throws the platform's error, or what is wrong with the files. */
export function readTlsFiles(files: TlsFiles): TlsContents {
  const { certFile, keyFile, trustedCaFile } = files;
  const contents = {
    ...(certFile === "" ? {} : { cert: readFileSync(certFile, "utf8") }),
    ...(keyFile === "" ? {} : { key: readFileSync(keyFile, "utf8") }),
    ...(trustedCaFile === "" ? {} : { ca: readFileSync(trustedCaFile, "utf8") }),
  };
  if (contents.cert !== undefined && contents.key !== undefined) {
    const fits = new X509Certificate(contents.cert).checkPrivateKey(createPrivateKey(contents.key));
    if (!fits) throw new Error(`${keyFile} is not the key of ${certFile}`);
  }
  if (contents.ca !== undefined) new X509Certificate(contents.ca);
  return contents;
}

/**
 * Calls `use` whenever the files hold something new that is good.
 * @returns what ends that
 */
export function watchTlsFiles(
  files: TlsFiles,
  ports: { readonly timer: Timer; readonly log: Log },
  use: (contents: TlsContents) => void,
): () => void {
  let seen = marksOf(files);
  let failed = "";
  return ports.timer.every(LOOK_MILLIS, () => {
    const marks = marksOf(files);
    if (marks === seen) return;
    try {
      use(readTlsFiles(files));
      seen = marks;
      failed = "";
      ports.log("info", "certificate files were read again", { file: files.certFile });
    } catch (error) {
      // A rotation writes one file after the other; once each is there, the marks change again.
      const detail = String(error);
      if (detail !== failed) {
        ports.log("warn", "changed certificate files can't be used", { detail });
      }
      failed = detail;
    }
  });
}

/** What changes with the files, without reading them. */
function marksOf({ certFile, keyFile, trustedCaFile }: TlsFiles): string {
  return [certFile, keyFile, trustedCaFile].map((path) => {
    if (path === "") return "";
    try {
      const { mtimeMs, size, ino } = statSync(path);
      return `${mtimeMs}/${size}/${ino}`;
    } catch {
      return "gone";
    }
  }).join();
}
