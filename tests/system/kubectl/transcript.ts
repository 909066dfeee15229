/**
 * Transcripts of kubectl: command lines with what they print, as a file that people can read.
 * In: the text of a transcript; `tests/golden/kubectl/README.md` tells its form.
 * Out: its steps; the same text again from what was seen. Never: runs a command.
 */

export interface Step {
  /** Comments and blank lines before the command, as they stand. */
  readonly before: readonly string[];
  /** One line of shell. */
  readonly command: string;
  /** Run until it succeeds; its output is of no interest. */
  readonly isWait: boolean;
  /** Expected lines, `| ` and all, without the version before the bar. */
  readonly expected: ReadonlyMap<string, readonly string[]>;
}

export interface Transcript {
  readonly steps: readonly Step[];
  /** What stands after the last step. */
  readonly after: readonly string[];
}

const OUTPUT = /^([\d.]*)(\|.*)$/;

/** @param versions every one that the transcript is run with */
export function parseTranscript(text: string, versions: readonly string[]): Transcript {
  const steps: Step[] = [];
  let before: string[] = [];
  let expected = new Map<string, string[]>();
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const command = /^\$(\??) (.+)$/.exec(line);
    const output = OUTPUT.exec(line);
    if (command !== null) {
      expected = new Map(versions.map((version) => [version, []]));
      steps.push({ before, command: command[2], isWait: command[1] === "?", expected });
      before = [];
    } else if (output !== null) {
      for (const [version, lines] of expected) {
        if (output[1] === "" || output[1] === version) lines.push(output[2]);
      }
    } else before.push(line);
  }
  return { steps, after: before };
}

/**
 * The text of a transcript with other outputs.
 * @param outputs of each step, by version, in the form that `parseTranscript` gives
 */
export function formatTranscript(
  transcript: Transcript,
  outputs: readonly ReadonlyMap<string, readonly string[]>[],
): string {
  const lines: string[] = [];
  transcript.steps.forEach((step, index) => {
    lines.push(...step.before, `$${step.isWait ? "?" : ""} ${step.command}`);
    const seen = [...outputs[index]];
    const [, first] = seen[0];
    const isSame = seen.every(([, other]) => other.join("\n") === first.join("\n"));
    if (isSame) lines.push(...first);
    else for (const [version, own] of seen) lines.push(...own.map((line) => version + line));
  });
  return [...lines, ...transcript.after].join("\n") + "\n";
}

/** What a command left behind, as lines of a transcript. */
export function formatOutput(
  result: { readonly stdout: string; readonly stderr: string; readonly code: number },
): string[] {
  const lines = (text: string) => text === "" ? [] : text.replace(/\n$/, "").split("\n");
  return [
    ...lines(result.stdout).map((line) => `| ${line}`.trimEnd()),
    ...lines(result.stderr).map((line) => `|! ${line}`.trimEnd()),
    ...(result.code === 0 ? [] : [`|= ${result.code}`]),
  ];
}
