// Puts routing rules in force, as a whole or not at all, and keeps what they use from being deleted.
import { SHIPPED_SOUNDS } from '../../relay/protocol.ts';
import type { StoredRules } from '../adapters/rule-store-d1.ts';
import { checkRules, type Known, type RuleFinding } from '../domain/check-rules.ts';
import { placeOf, referencesOf, type Reference } from '../domain/rule-references.ts';
import { RULES_LENGTH_MAX, type RuleSet } from '../domain/rules.ts';
import { Problem } from '../http/problems.ts';
import type { Services } from '../services.ts';

const SHIPPED: ReadonlySet<string> = new Set(SHIPPED_SOUNDS);

/** Most findings that one problem names. */
const FINDINGS_MAX = 100;

export const invalidRules = (findings: readonly RuleFinding[]): Problem =>
  new Problem('invalid-rules', 'Nothing was saved', { errors: findings.slice(0, FINDINGS_MAX) });

/** What steps may refer to. */
export async function knownTo({
  rules,
  audio,
  config,
}: Pick<Services, 'rules' | 'audio' | 'config'>): Promise<Known> {
  const known = await rules.known();
  return {
    ...known,
    prompts: new Set([...SHIPPED, ...known.prompts]),
    canRecord: audio !== null,
    isLoopbackAllowed: config.ALLOW_LOOPBACK,
    canAsk: config.ASK_SECRET.length > 0,
  };
}

/** @throws Problem `invalid-rules` with everything that is wrong with the set as a whole */
export async function requireSound(services: Services, rules: RuleSet): Promise<void> {
  const findings = checkRules(rules, await knownTo(services));
  if (JSON.stringify(rules).length > RULES_LENGTH_MAX)
    findings.push({
      path: '',
      message: `Expected at most ${RULES_LENGTH_MAX} characters, as JSON with all its defaults`,
    });
  if (findings.length > 0) throw invalidRules(findings);
}

/**
 * Puts a set in force for calls that begin from now on.
 *
 * @param version the one that the set was made from; null: whatever is in force is replaced
 * @throws Problem `invalid-rules`, `rules-changed` when another set has been saved since `version`
 */
export async function saveRules(
  services: Services,
  rules: RuleSet,
  version: number | null,
  by: string,
): Promise<StoredRules> {
  await requireSound(services, rules);
  const present = await services.rules.current();
  if (version !== null && version !== present.version) throw rulesChanged(present);
  const used = referencesOf(rules);
  const uses = {
    teams: idsOf(used, 'team'),
    prompts: idsOf(used, 'prompt').filter((id) => !SHIPPED.has(id)),
  };
  const saved = await services.rules.save(
    rules,
    uses,
    { atMs: services.now(), by },
    present.version,
  );
  if (!saved) {
    // Somebody was faster: with a set, or by deleting what this one uses.
    await requireSound(services, rules);
    throw rulesChanged(await services.rules.current());
  }
  await services.switchboard().peopleChanged();
  return saved;
}

const idsOf = (used: readonly Reference[], kind: Reference['kind']): string[] => [
  ...new Set(used.flatMap((one) => (one.kind === kind ? [one.id] : []))),
];

const rulesChanged = ({ version }: StoredRules): Problem =>
  new Problem('rules-changed', `Version ${version} is in force; read it and change that one`, {
    version,
  });

/**
 * Makes sure that the rules in force can do without something.
 *
 * @returns their version, for the statement that deletes it
 * @throws Problem `conflict` naming the `path` of the first place that uses it
 */
export async function requireUnused(
  services: Services,
  kind: 'team' | 'prompt',
  id: string,
): Promise<number> {
  const { version, rules } = await services.rules.current();
  const path = placeOf(rules, kind, id);
  if (path !== null)
    throw new Problem('conflict', `The rules use this ${kind} at ${path}`, { path });
  return version;
}
