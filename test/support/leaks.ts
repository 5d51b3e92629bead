// Looks for what must not stand in logs. Tells where something was found and what kind it is, and never repeats it.

/** What is secret or personal whatever its value. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  // The relay says of some SDP that it does not start with `v=0`; SDP itself goes on behind that.
  SDP: /v=0(?:\\|\s|$)|a=ice-|ice-ufrag|ice-pwd|a=fingerprint|m=audio|a=candidate/i,
  'DTLS fingerprint': /(?:[0-9a-f]{2}:){7}/i,
  'JSON web token': /eyJ[\w-]{10}/,
  'id of the provider': /wacid|wamid/i,
  'key or secret of Roomline': /\brl[asw]_[\w-]{20}/,
  'authorization header': /bearer [\w.-]{8}/i,
  'webhook signature': /sha256=[0-9a-f]{16}/i,
};

export interface Leak {
  readonly log: string;
  readonly what: string;
  /** The event that was logged last up to that line; fields of an event may stand on lines of their own. */
  readonly event: string;
}

/**
 * @param log names the text in what is found
 * @param known secrets and personal data of this run, and what each of them is
 */
export function leaksIn(log: string, text: string, known: ReadonlyMap<string, string>): Leak[] {
  let event = 'none';
  return text.split('\n').flatMap((line) => {
    event = /\b[a-z]+\.[a-z]+(?:-[a-z]+)*\b/.exec(line)?.[0] ?? event;
    const shapes = Object.entries(SHAPES).filter(([, shape]) => shape.test(line));
    const values = [...known].filter(([value]) => line.includes(value));
    const found = [...shapes.map(([what]) => what), ...values.map(([, what]) => what)];
    return found.map((what) => ({ log, what, event }));
  });
}
