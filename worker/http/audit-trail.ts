// Who changed what: one row for every request that is let in and is not a mere look, whatever became of it. What the request
// said is not kept.
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Services } from '../services.ts';
import type { AppEnv } from './authentication.ts';

export function auditTrail(services: Services): MiddlewareHandler<AppEnv> {
  return async function noteChange(c, next) {
    await next();
    const principal = c.get('principal') as AppEnv['Variables']['principal'] | undefined;
    if (!principal || c.req.method === 'GET' || c.req.method === 'HEAD') return;
    // Of the handler that came last, as the id is.
    const entry = {
      atMs: services.now(),
      actor: principal.actor,
      action: `${c.req.method} ${routePath(c)}`,
      target: c.req.param('id') ?? null,
      status: c.res.status,
    };
    services.later(
      services.audit.add(entry).catch((error: unknown) => {
        // The path is in the logs of requests; that the trail has a hole has to be seen.
        console.error('audit.not-stored', { action: entry.action, error: String(error) });
      }),
    );
  };
}
