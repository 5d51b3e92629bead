// A condition of statements that must not run once other rules are in force than those that were looked at.
import { sql, type SQL } from 'drizzle-orm';
import { ruleSets } from '../db/schema.ts';

/** Whether no set has been saved since `version` was read; 0: none ever. */
export const isPresent = (version: number): SQL =>
  sql`(SELECT coalesce(max(${ruleSets.version}), 0) FROM ${ruleSets}) = ${version}`;
