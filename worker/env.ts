// Bindings of the worker; `wrangler.toml` declares them.
import type { Switchboard } from './switchboard.ts';

/** Secrets and settings are in here too, but only `parseConfig` reads those. */
export interface Env {
  readonly DB: D1Database;
  readonly SWITCHBOARD: DurableObjectNamespace<Switchboard>;
  readonly ASSETS: Fetcher;
  /** Prompts and recordings; a deployment may do without. */
  readonly AUDIO?: R2Bucket;
}
