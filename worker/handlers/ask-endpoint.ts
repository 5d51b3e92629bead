// Asks an endpoint of the user what to do with a call: one signed request, a bounded answer, and no second try.
import { z } from 'zod';
import { postSigned } from '../adapters/signed-request.ts';
import { iso, type CallView } from '../call-view.ts';
import type { Config } from '../config.ts';
import type { Job, JobResult } from '../domain/job.ts';
import { checkRules, type Known } from '../domain/check-rules.ts';
import { refusalOfAddress } from '../domain/outside-address.ts';
import { steps, type Step } from '../domain/rules.ts';
import { ASK_TIMEOUT_MS } from '../domain/step-endpoint.ts';

/** Longest answer that is read, in bytes. */
const ANSWER_BYTES_MAX = 65_536;
/** Of what was wrong with an answer the timeline keeps so much, in characters. */
const PROBLEM_CHARS_MAX = 200;

const answer = z.strictObject({ steps: steps.optional() });

interface AskDeps {
  readonly config: Pick<Config, 'ALLOW_LOOPBACK' | 'ASK_SECRET'>;
  /** What the steps of an answer may refer to. */
  readonly known: () => Promise<Known>;
  readonly now: () => number;
}

type Question = Extract<Job, { lane: 'endpoint' }>;
interface Subject {
  readonly view: CallView | null;
  readonly digits: string;
}

/**
 * Asks once.
 *
 * @returns the steps that the endpoint answered, none where it has nothing to say; otherwise what went wrong, for people
 * @throws when what the steps may refer to could not be read
 */
export async function askEndpoint(
  deps: AskDeps,
  subject: Subject,
  question: Question,
): Promise<JobResult> {
  const result = await ask(deps, subject, question);
  if (!result.ok || !result.steps?.length) return result;
  const problem = problemWith(result.steps, await deps.known());
  return problem === null ? result : refused(problem);
}

/** Steps of an answer are a rule set without names; its flows are those of the call, which are not known here. */
function problemWith(otherwise: readonly Step[], known: Known): string | null {
  const set = { rules: [], flows: {}, schedules: {}, lists: {}, otherwise: [...otherwise] };
  const finding = checkRules(set, known).find(({ path }) => !path.endsWith('.goto'));
  return finding ? problemAt(finding.path.replace(/^otherwise/, 'steps'), finding.message) : null;
}

async function ask(
  { config, now }: AskDeps,
  { view, digits }: Subject,
  { url, data }: Question,
): Promise<JobResult> {
  const refusal = refusalOfAddress(url, config.ALLOW_LOOPBACK);
  if (refusal !== null) return refused(`the address is not ${refusal}`);
  const secrets = config.ASK_SECRET;
  if (secrets.length === 0) return refused('ASK_SECRET is not set');
  const atMs = now();
  const asked = { call: view, digits, data };
  const body = JSON.stringify({ type: 'call.ask', timestamp: iso(atMs), data: asked });
  const id = `ask_${crypto.randomUUID()}`;
  try {
    const response = await postSigned(url, { id, body, secrets, atMs }, ASK_TIMEOUT_MS);
    if (response.status === 204) return { ok: true };
    if (!response.ok) {
      await response.body?.cancel();
      return { ...refused(`HTTP ${response.status}`), status: response.status };
    }
    const text = await readBounded(response);
    return text === null ? refused(`more than ${ANSWER_BYTES_MAX} bytes`) : readAnswer(text);
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    const why = isLate ? `no answer within ${ASK_TIMEOUT_MS / 1000} s` : 'not reached';
    return { ok: false, kind: 'unsure', message: why };
  }
}

const refused = (message: string) => ({ ok: false, kind: 'refused', message }) as const;

/** @returns null when the body is too long */
async function readBounded({ body }: Response): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function readAnswer(text: string): JobResult {
  const parsed = answer.safeParse(parseJson(text));
  if (parsed.success) return { ok: true, steps: parsed.data.steps ?? [] };
  const [issue] = parsed.error.issues;
  return refused(problemAt(issue?.path.join('.') ?? '', issue?.message ?? ''));
}

const problemAt = (path: string, message: string): string =>
  `the answer, ${path}: ${message}`.slice(0, PROBLEM_CHARS_MAX);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
