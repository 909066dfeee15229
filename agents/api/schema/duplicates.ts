/**
 * Finds keys that stand twice in one JSON object, which JSON.parse swallows.
 * In: JSON text that JSON.parse has accepted. Out: the paths of the repeated keys.
 * Never: decodes values. Run only where Strict or Warn asked for it. Source: sigs.k8s.io/json.
 */

interface Frame {
  readonly isObject: boolean;
  readonly path: string;
  readonly seen: Set<string>;
  index: number;
  key: string;
}

/** No more duplicates than this are reported. */
const MAX_REPORTED = 100;

/**
 * Scans a text without recursion, unless it is as JSON.stringify writes it.
 * @param text valid JSON.
 * @param value what JSON.parse has made of it, unchanged; that never writes a key twice.
 * @returns `duplicate field "spec.replicas"` for each repetition, in order.
 */
export function findDuplicates(text: string, value: unknown): string[] {
  // What follows in a valid text is blank.
  return text.startsWith(JSON.stringify(value)) ? [] : scan(text);
}

function scan(text: string): string[] {
  const found: string[] = [];
  const stack: Frame[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length; at++) {
    const frame = stack[stack.length - 1];
    switch (text[at]) {
      case "{":
      case "[": {
        const isObject = text[at] === "{";
        stack.push({ isObject, path: childPath(frame), seen: new Set(), index: 0, key: "" });
        expectsKey = isObject;
        break;
      }
      case "}":
      case "]":
        stack.pop();
        expectsKey = false;
        break;
      case ",":
        frame.index++;
        expectsKey = frame.isObject;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (expectsKey) {
          frame.key = JSON.parse(text.slice(at, end + 1));
          if (frame.seen.has(frame.key) && found.length < MAX_REPORTED) {
            found.push(`duplicate field ${JSON.stringify(childPath(frame))}`);
          }
          frame.seen.add(frame.key);
          expectsKey = false;
        }
        at = end;
        break;
      }
    }
  }
  return found;
}

function childPath(frame: Frame | undefined): string {
  if (frame === undefined) return "";
  if (!frame.isObject) return `${frame.path}[${frame.index}]`;
  return frame.path === "" ? frame.key : `${frame.path}.${frame.key}`;
}

/** @returns the position of the closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}
