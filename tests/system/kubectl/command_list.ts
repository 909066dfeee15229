/**
 * Which commands of kubectl the transcripts run.
 * In: lines of shell, the list of commands in `tests/golden/kubectl/commands.list`.
 * Out: the calls of kubectl that a line holds, and whether one of them is what a row asks for.
 * Never: runs a command.
 */

/** A row of the list. */
export interface Row {
  /** null = every version. */
  readonly version: string | null;
  readonly words: readonly string[];
  /** As it stands in the list. */
  readonly text: string;
}

export function parseRows(text: string): Row[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
    const [, version = null, command] = /^(?:(\d+\.\d+) )?(.+)$/.exec(line)!;
    return { version, words: command.split(" "), text: line };
  });
}

/**
 * The calls of kubectl in a line of shell, quotes removed; what stands after `--` runs elsewhere
 * and is left out.
 */
export function callsOf(line: string): string[][] {
  return [...line.matchAll(/(?<=^|[\s("])kubectl /g)].map(({ index }) =>
    wordsOf(line.slice(index + "kubectl ".length))
  );
}

function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const [whole] of text.matchAll(/[;|&)"]|<<<|\d?>\S*|(?:'[^']*'|"[^"]*"|[^\s;|&)'"])+/g)) {
    if (/^([;|&)"]|<<<|--)$/.test(whole)) break;
    if (!/^\d?>/.test(whole)) words.push(whole.replace(/["']/g, ""));
  }
  return words;
}

/**
 * Whether a call is what a row asks for: the row's words stand in it, in this order, the first of
 * them before every other word that is no flag.
 */
export function isRunBy(row: Row, call: readonly string[]): boolean {
  let next = 0;
  for (const word of call) {
    if (next < row.words.length && matches(row.words[next], word)) next++;
    else if (next === 0 && !word.startsWith("-")) return false;
  }
  return next === row.words.length;
}

/** `pod` stands for `pods` and `pod/one` too; what ends with `=` or `/` is how a word begins. */
function matches(wanted: string, word: string): boolean {
  if (/[=/]$/.test(wanted)) return word.startsWith(wanted);
  return word === wanted || word === `${wanted}s` || word.startsWith(`${wanted}/`);
}
