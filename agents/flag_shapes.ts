/**
 * Shapes of command-line flags that several commands have, and problems in the words of flags.
 * In: raw flag values as commander hands them over. Out: zod schemas, problems that name flags.
 * Never: touches disk or network.
 */
import { z } from "zod";

/** Raw values by commander's camelCase names; an absent flag is undefined. */
export type RawFlags = Readonly<Record<string, string | readonly string[] | undefined>>;

/** One complaint about one flag. */
export interface FlagProblem {
  readonly flag: string;
  readonly message: string;
}

export const wholeNumber = (least: number, most: number) =>
  z.string().regex(/^\d+$/, "is not a whole number").transform(Number)
    .refine((value) => value >= least && value <= most, `must lie between ${least} and ${most}`);

export const path = z.string().min(1, "must not be empty")
  .refine((value) => !value.includes("\0"), "must not contain a zero byte");

export const address = z.string().refine(
  isAddress,
  "is not an IPv4 or IPv6 address, nor localhost",
);

/** Comma-separated URLs of a store. */
export const endpoints = z.string().transform((value, context): string[] => {
  const urls = value.split(",").map((part) => part.trim()).filter((part) => part !== "");
  for (const url of urls) {
    if (!/^https?:\/\/[^/\s]+$/.test(url)) {
      context.addIssue({ code: "custom", message: `"${url}" is not http(s)://HOST:PORT` });
    }
  }
  if (urls.length === 0) context.addIssue({ code: "custom", message: "names no endpoint" });
  return urls;
});

/** Comma-separated names. */
export const names = z.string().transform((value) =>
  value.split(",").map((part) => part.trim()).filter((part) => part !== "")
);

/** Every complaint of a schema about raw values. */
export function problemsOf(error: z.ZodError, raw: RawFlags): readonly FlagProblem[] {
  return error.issues.map((issue) => {
    const key = String(issue.path[0] ?? "");
    return { flag: flagName(key), message: `${JSON.stringify(raw[key] ?? "")} ${issue.message}` };
  });
}

export function isProblemList(value: object): value is readonly FlagProblem[] {
  return Array.isArray(value);
}

/** `dataDir` → `--data-dir`. */
function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function isAddress(value: string): boolean {
  if (value === "localhost") return true;
  const bytes = value.split(".");
  if (bytes.length === 4) return bytes.every((part) => /^\d{1,3}$/.test(part) && +part <= 255);
  return /^[0-9a-fA-F:]+$/.test(value) && value.includes(":");
}

/** What is wrong where one flag of a pair is given without the other; nothing when all is well. */
export function unpaired(
  first: { readonly flag: string; readonly value: string | undefined },
  second: { readonly flag: string; readonly value: string | undefined },
): readonly FlagProblem[] {
  if ((first.value === undefined) === (second.value === undefined)) return [];
  return [{ flag: first.flag, message: `needs ${second.flag}, and back` }];
}
