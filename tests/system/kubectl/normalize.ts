/**
 * What two runs of one command may print differently, replaced by its name.
 * In: what kubectl printed. Out: the same with `<age>`, `<time>`, `<ip>`, `<uid>`…
 * Never: hides a word of ours; only what clocks, random names and addresses decide.
 */

const RULES: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<uid>"],
  [/\bkube-api-access-\w{5}\b/g, "kube-api-access-<name>"],
  [/(hollow:\/\/)[0-9a-f]{32}/g, "$1<id>"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, "<time>"],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} UTC/g, "<time>"],
  [/^[WEI]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (\S+?):\d+\]/gm, "W<time> $1]"],
  [/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, "<time>"],
  [/127\.0\.0\.1:\d+/g, "127.0.0.1:<port>"],
  [/\b(10\.\d+|172\.(1[6-9]|2\d|3[01]))\.\d+\.\d+\b/g, "<ip>"],
  [/\bhollow-\d\b/g, "hollow-N"],
  [/:3\d{4}\b/g, ":<node port>"],
  [/(nodePort: |NodePort: +.* )3\d{4}\b/g, "$1<node port>"],
  [/\b(resourceVersion: )"?\d+"?/gi, "$1<version>"],
  [/(Resource Version: +)\d+/g, "$1<version>"],
  [/\bregion-1-[abc]\b/g, "region-1-<zone>"],
  [/("resourceVersion": )"\d+"/g, '$1"<version>"'],
  [/(\\"resourceVersion\\":\\")\d+/g, "$1<version>"],
  [/\bkubectl-edit-\d+/g, "kubectl-edit-<name>"],
  // Random ends of names are written without vowels and without the digits 0, 1 and 3.
  [/-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, "-<hash>-<name>"],
  [/-[bcdfghjklmnpqrstvwxz2456789]{8,10}\b/g, "-<hash>"],
  [/-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, "-<name>"],
  [/(pod-template-hash=)[bcdfghjklmnpqrstvwxz2456789]{8,10}\b/g, "$1<hash>"],
  [
    /(?<=^|[\s(])(?<!(cpu|memory|storage):?\s+)(\d+d)?(\d+h)?(\d+m)?\d+(\.\d+)?(s|m|h|d|ms)(?=$|[\s),])(?!\s+\d+(Mi|%))/gm,
    "<age>",
  ],
  [/<invalid>|<unknown>(?= *$)/gm, "<age>"],
];

/** Widths of columns follow what stands in them, so blanks between columns count as two. */
export function normalize(text: string): string {
  let plain = text;
  for (const [pattern, name] of RULES) plain = plain.replace(pattern, name);
  return plain.split("\n").map(squeeze).join("\n");
}

function squeeze(line: string): string {
  const indent = /^ */.exec(line)?.[0] ?? "";
  return indent + line.slice(indent.length).replace(/ {2,}/g, "  ").trimEnd();
}
