// Who answers calls, and by which rules calls find them, as the Switchboard reads it from D1.
import { desc, eq, isNull } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { agents, ruleSets, settings, teamMembers, teams } from '../db/schema.ts';
import { NO_RULES } from '../domain/flow.ts';
import type { AgentId } from '../domain/ids.ts';
import { isMasked, type NumberMasking } from '../domain/masking.ts';
import type { Member } from '../domain/roster.ts';
import type { RuleSet } from '../domain/rules.ts';
import { teamsSeen, type View } from '../domain/sight.ts';
import { settingsFrom } from './settings-store-d1.ts';

/** What the record knows of an agent; the rest changes too often to be kept there. */
export type KnownMember = Pick<Member, 'id' | 'name' | 'teams' | 'skills' | 'capacity' | 'ai'>;

export interface KnownPeople {
  readonly members: readonly KnownMember[];
  /** How long a member of a team is left alone after a call of it, in ms. */
  readonly wrapUpMs: ReadonlyMap<string, number>;
  /** What each is shown of calls. */
  readonly views: ReadonlyMap<AgentId, View>;
  readonly masking: NumberMasking;
}

export interface VersionedRules {
  readonly version: number;
  readonly rules: RuleSet;
}

export interface PeopleReader {
  people(): Promise<KnownPeople>;
  /** The rule set in force; version 0 where none was saved. */
  rules(): Promise<VersionedRules>;
  /** A rule set that was in force when a call began. */
  rulesOf(version: number): Promise<VersionedRules>;
}

const UNSAVED: VersionedRules = { version: 0, rules: NO_RULES };

/** JSON columns hold what the API has checked, which is what makes the casts sound. */
export function createPeopleReader(db: DrizzleD1Database): PeopleReader {
  const versioned = (row: typeof ruleSets.$inferSelect | undefined): VersionedRules =>
    row ? { version: row.version, rules: row.rules as RuleSet } : UNSAVED;
  return {
    async people() {
      const [known, memberships, all, set] = await db.batch([
        db.select().from(agents).where(isNull(agents.revokedAtMs)).orderBy(agents.id),
        db.select().from(teamMembers),
        db.select().from(teams),
        db.select().from(settings),
      ]);
      const { numberMasking: masking } = settingsFrom(set);
      const members = known.map((row) => ({
        id: row.id as AgentId,
        name: row.name,
        teams: memberships.filter(({ agentId }) => agentId === row.id).map(({ teamId }) => teamId),
        skills: row.skills as string[],
        capacity: row.capacity,
        ai: row.ai as Member['ai'],
      }));
      const views = known.map(({ role }, index): [AgentId, View] => {
        const { id: agentId, teams: own } = members[index] as KnownMember;
        const seen = teamsSeen(role, own, all.length > 0);
        return [agentId, { sight: { agentId, teams: seen }, isMasked: isMasked(masking, role) }];
      });
      return {
        members,
        wrapUpMs: new Map(all.map(({ id, wrapUpS }) => [id, wrapUpS * 1000])),
        views: new Map(views),
        masking,
      };
    },

    async rules() {
      const [row] = await db.select().from(ruleSets).orderBy(desc(ruleSets.version)).limit(1);
      return versioned(row);
    },

    async rulesOf(version) {
      if (version === 0) return UNSAVED;
      const [row] = await db.select().from(ruleSets).where(eq(ruleSets.version, version));
      return versioned(row);
    },
  };
}
