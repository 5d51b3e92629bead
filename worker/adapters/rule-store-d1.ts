// The routing rules in D1: every set that was ever in force, and what sets may refer to.
import { desc, eq, isNull, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { agents, numbers, prompts, ruleSets, teamMembers, teams } from '../db/schema.ts';
import { NO_RULES } from '../domain/flow.ts';
import type { Known } from '../domain/check-rules.ts';
import type { RuleSet } from '../domain/rules.ts';
import { isUsable } from './prompt-store-d1.ts';
import { isPresent } from './rules-version.ts';

export type RuleStore = ReturnType<typeof createRuleStore>;

export interface StoredRules {
  /** 0 for the set that holds where none was saved. */
  readonly version: number;
  readonly rules: RuleSet;
  readonly saved: { readonly atMs: number; readonly by: string } | null;
}

/** What a set refers to that somebody could delete. */
export interface UsedByRules {
  readonly teams: readonly string[];
  /** Those that were uploaded. */
  readonly prompts: readonly string[];
}

const UNSAVED: StoredRules = { version: 0, rules: NO_RULES, saved: null };

export function createRuleStore(db: DrizzleD1Database) {
  return {
    /** The set in force. */
    async current(): Promise<StoredRules> {
      const [row] = await db.select().from(ruleSets).orderBy(desc(ruleSets.version)).limit(1);
      return row ? storedFromRow(row) : UNSAVED;
    },

    async find(version: number): Promise<StoredRules | null> {
      if (version === 0) return UNSAVED;
      const [row] = await db.select().from(ruleSets).where(eq(ruleSets.version, version));
      return row ? storedFromRow(row) : null;
    },

    /** What a set may refer to, as far as D1 knows it. */
    async known(): Promise<Pick<Known, 'numbers' | 'teams' | 'agents' | 'prompts'>> {
      const [knownNumbers, knownTeams, members, knownAgents, knownPrompts] = await db.batch([
        db.select({ id: numbers.id }).from(numbers),
        db.select({ id: teams.id }).from(teams),
        db.select().from(teamMembers),
        db
          .select({ id: agents.id, skills: agents.skills })
          .from(agents)
          .where(isNull(agents.revokedAtMs)),
        db.select({ id: prompts.id }).from(prompts).where(isUsable),
      ]);
      const membersOf = (id: string) =>
        members.flatMap(({ teamId, agentId }) => (teamId === id ? [agentId] : []));
      return {
        numbers: new Set(knownNumbers.map(({ id }) => id)),
        teams: new Map(knownTeams.map(({ id }) => [id, membersOf(id)])),
        // Written by the API alone, which is what makes the cast sound.
        agents: new Map(knownAgents.map(({ id, skills }) => [id, skills as string[]])),
        prompts: new Set(knownPrompts.map(({ id }) => id)),
      };
    },

    /**
     * Puts a set in force, unless another one was saved since `version`, or something that it uses was deleted meanwhile.
     *
     * @returns the set with its version; null when nothing was saved
     */
    async save(
      rules: RuleSet,
      uses: UsedByRules,
      saved: { readonly atMs: number; readonly by: string },
      version: number,
    ): Promise<StoredRules | null> {
      const usedTeams = JSON.stringify(uses.teams);
      const usedPrompts = JSON.stringify(uses.prompts);
      const [row] = await db
        .insert(ruleSets)
        .select(
          sql`SELECT NULL, ${JSON.stringify(rules)}, ${saved.atMs}, ${saved.by}
            WHERE ${isPresent(version)}
              AND NOT EXISTS (SELECT 1 FROM json_each(${usedTeams}) WHERE value NOT IN (SELECT id FROM teams))
              AND NOT EXISTS (SELECT 1 FROM json_each(${usedPrompts})
                WHERE value NOT IN (SELECT id FROM prompts WHERE ${isUsable}))`,
        )
        .returning();
      return row ? storedFromRow(row) : null;
    },
  };
}

/** Sets are written by `save` alone, which is what makes the cast sound. */
const storedFromRow = (row: typeof ruleSets.$inferSelect): StoredRules => ({
  version: row.version,
  rules: row.rules as RuleSet,
  saved: { atMs: row.createdAtMs, by: row.createdBy },
});
